package simulator

import (
	"cmp"
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// seedProducts returns the products of the documentation's examples, which every account has.
func seedProducts() map[string]*gen.Product {
	media := []gen.ProductMedia{{Type: gen.MediaTypeImage, URL: "https://example.com/bottle.jpg"}}
	return map[string]*gen.Product{
		"NTIzMzc0NjI5": {ProductID: "NTIzMzc0NjI5", Name: "FreeSip bottle", Description: "An insulated bottle of steel.", Media: media},
		"NTQ0MTkzNjg":  {ProductID: "NTQ0MTkzNjg", Name: "Smart watch", Description: "A watch that counts steps.", Media: media},
	}
}

// CreateProduct reads nothing from the product's page: the name comes from the URL's path.
func (s server) CreateProduct(ctx context.Context, r CreateProductRequestObject) (CreateProductResponseObject, error) {
	b := r.Body
	p := &gen.Product{
		ProductID: s.ids.product(), URL: b.URL, Name: b.Name, Description: b.Description, TargetAudience: b.TargetAudience, Media: b.Media,
	}
	switch {
	case b.URL == "" && b.Name == "":
		return nil, missing("url or name")
	case b.URL != "":
		page, err := url.Parse(b.URL)
		if err != nil || page.Host == "" {
			return nil, invalid("url", "it is not an absolute URL")
		}
		readPage(p, page)
	}
	exchangeOf(ctx).account.products[p.ProductID] = p
	return CreateProduct200JSONResponse{Data: *p}, nil
}

func (s server) UpdateProduct(ctx context.Context, r UpdateProductRequestObject) (UpdateProductResponseObject, error) {
	p := exchangeOf(ctx).account.products[r.Body.ProductID]
	if p == nil {
		return nil, notFound("product")
	}
	change := func(field *string, to *string) {
		if to != nil {
			*field = *to
		}
	}
	change(&p.Name, r.Body.Name)
	change(&p.Description, r.Body.Description)
	change(&p.TargetAudience, r.Body.TargetAudience)
	if r.Body.Media != nil {
		p.Media = r.Body.Media
	}
	return UpdateProduct200JSONResponse{}, nil
}

// readPage makes up what the service would have found on the product's page, where the request does not say it.
func readPage(p *gen.Product, page *url.URL) {
	name := strings.NewReplacer("-", " ", "_", " ").Replace(strings.Trim(path.Base(page.Path), "./"))
	p.Name = cmp.Or(p.Name, name, page.Hostname())
	p.Description = cmp.Or(p.Description, "What "+page.Hostname()+" has to say about it.")
	if len(p.Media) == 0 {
		p.Media = []gen.ProductMedia{{Type: gen.MediaTypeImage, Name: "cover", URL: page.JoinPath("cover.jpg").String()}}
	}
}
