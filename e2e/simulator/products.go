package simulator

import (
	"cmp"
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// seedProducts returns the products in the examples of JoggAI's documentation. Every account has them.
func seedProducts() map[string]*gen.Product {
	media := []gen.ProductMedia{{Type: gen.MediaTypeImage, URL: "https://example.com/bottle.jpg"}}
	return map[string]*gen.Product{
		"NTIzMzc0NjI5": {ProductID: "NTIzMzc0NjI5", Name: "FreeSip bottle", Description: "An insulated bottle of steel.", Media: media},
		"NTQ0MTkzNjg":  {ProductID: "NTQ0MTkzNjg", Name: "Smart watch", Description: "A watch that counts steps.", Media: media},
	}
}

// CreateProduct does not fetch the product page. A missing name is derived from the path of the URL.
func (s server) CreateProduct(ctx context.Context, body gen.CreateProductRequest) (*gen.Product, error) {
	p := &gen.Product{
		ProductID: s.ids.product(), URL: body.URL, Name: body.Name, Description: body.Description, TargetAudience: body.TargetAudience, Media: body.Media,
	}
	switch {
	case body.URL == "" && body.Name == "":
		return nil, missing("url or name")
	case body.URL != "":
		page, err := url.Parse(body.URL)
		if err != nil || page.Host == "" {
			return nil, invalid("url", "must be an absolute URL")
		}
		readPage(p, page)
	}
	exchangeOf(ctx).account.products[p.ProductID] = p
	return p, nil
}

func (s server) UpdateProduct(ctx context.Context, body gen.UpdateProductRequest) error {
	p := exchangeOf(ctx).account.products[body.ProductID]
	if p == nil {
		return notFound("product")
	}
	change := func(field *string, to *string) {
		if to != nil {
			*field = *to
		}
	}
	change(&p.Name, body.Name)
	change(&p.Description, body.Description)
	change(&p.TargetAudience, body.TargetAudience)
	if body.Media != nil {
		p.Media = body.Media
	}
	return nil
}

// readPage fills in fields that the request omits and that the service would read from the product page.
func readPage(p *gen.Product, page *url.URL) {
	name := strings.NewReplacer("-", " ", "_", " ").Replace(strings.Trim(path.Base(page.Path), "./"))
	p.Name = cmp.Or(p.Name, name, page.Hostname())
	p.Description = cmp.Or(p.Description, "What "+page.Hostname()+" has to say about it.")
	if len(p.Media) == 0 {
		p.Media = []gen.ProductMedia{{Type: gen.MediaTypeImage, Name: "cover", URL: page.JoinPath("cover.jpg").String()}}
	}
}
