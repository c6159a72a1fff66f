package simulator

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/jogg-go/jogg/gen"
)

// PageMode is how a list operation handles pagination.
type PageMode int

// Page modes.
const (
	// PagesHonest returns the requested page and correct pagination fields. Lists of avatars have no pagination fields.
	PagesHonest PageMode = iota
	// PagesIgnored returns the whole collection for any page. Its pagination fields always claim that there are more pages: has_more is
	// true, and totals are beyond the requested page. This was observed for avatars and voices.
	PagesIgnored
	// PagesEndless returns the requested page, and empty pages after the last. Its pagination fields always claim that there are more
	// pages.
	PagesEndless
	// PagesClamped is PagesHonest, but treats a page_size above 100 as 100 instead of rejecting it.
	PagesClamped
)

const (
	defaultPageSize = 10
	maxPageSize     = 100
)

// pageChoice is a mode for the operations, or for all paginated ones if there are none.
type pageChoice struct {
	mode       PageMode
	operations []string
}

// choosePages applies the page options. It needs the loaded contract.
func (c *config) choosePages(contract *contract) error {
	for _, choice := range c.pageModes {
		if err := choice.apply(contract, c.pages); err != nil {
			return err
		}
	}
	return nil
}

func (choice pageChoice) apply(contract *contract, pages map[string]PageMode) error {
	operations := choice.operations
	if len(operations) == 0 {
		operations = contract.listOperations()
	}
	for _, operation := range operations {
		if o := contract.operations[operation]; o == nil || !o.paged {
			return fmt.Errorf("operation %q has no page parameter", operation)
		}
		pages[operation] = choice.mode
	}
	return nil
}

// listOperations returns the operations with a page parameter.
func (c *contract) listOperations() []string {
	return slices.DeleteFunc(c.operationNames(), func(name string) bool { return !c.operations[name].paged })
}

// SetPages sets how the operations handle pagination from now on. Without operations it applies to all that have a page parameter. It
// returns an error if one of the operations has none.
func (s *Simulator) SetPages(mode PageMode, operations ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := (pageChoice{mode, operations}).apply(s.contract, s.config.pages); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	return nil
}

// shapePages reduces a page_size that is too large to the maximum, before the request is validated, if the mode is PagesClamped.
func (s *Simulator) shapePages(operation string, r *http.Request) {
	s.mu.Lock()
	clamped := s.config.pages[operation] == PagesClamped
	s.mu.Unlock()
	query := r.URL.Query()
	if size, err := strconv.Atoi(query.Get("page_size")); clamped && err == nil && size > maxPageSize {
		query.Set("page_size", strconv.Itoa(maxPageSize))
		r.URL.RawQuery = query.Encode()
	}
}

// page is a page of a list with its pagination fields.
type page[T any] struct {
	items   []T
	number  int
	size    int
	total   int
	hasMore bool
	// reportsMore is has_more for lists that send the field only in PagesIgnored and PagesEndless.
	reportsMore bool
}

// pageOf returns the page that a call requests. A number of 0 means 1, a size of 0 means defaultPageSize.
func pageOf[T any](ctx context.Context, s *Simulator, items []T, number, size int) page[T] {
	return pageFor(s.config.pages[exchangeOf(ctx).operation], items, number, size)
}

func pageFor[T any](mode PageMode, items []T, number, size int) page[T] {
	if number == 0 {
		number = 1
	}
	if size == 0 {
		size = defaultPageSize
	}
	p := page[T]{number: number, size: size, total: len(items)}
	if mode == PagesIgnored {
		p.items, p.hasMore, p.reportsMore = items, true, true
		p.total = max(p.total, number*size+1) // so that clients that count continue too
		return p
	}
	// The product must not overflow for a page far beyond the end.
	begin := len(items)
	if number-1 <= len(items)/size {
		begin = min((number-1)*size, len(items))
	}
	end := min(begin+size, len(items))
	p.items, p.hasMore = items[begin:end], end < len(items)
	if mode == PagesEndless {
		p.hasMore, p.reportsMore = true, true
		p.total = max(p.total, number*size+1)
	}
	return p
}

func (p page[T]) pagination() gen.Pagination {
	return gen.Pagination{Page: p.number, PageSize: p.size, TotalItems: int64(p.total), TotalPages: (p.total + p.size - 1) / p.size}
}
