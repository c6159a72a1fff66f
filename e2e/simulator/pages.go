package simulator

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/jogg-go/jogg/gen"
)

// PageMode says how a list behaves towards somebody who reads it page by page.
type PageMode int

// The ways of lists.
const (
	// PagesHonest returns the page asked for; what tells the end is right. Avatars tell nothing.
	PagesHonest PageMode = iota
	// PagesIgnored answers the whole collection whatever page is asked for, and says that there is more where the list can say so: has_more
	// is true, and counts of pages go on. Seen on avatars and voices.
	PagesIgnored
	// PagesEndless returns the page asked for, empty ones after the last, and says for ever that there is more.
	PagesEndless
	// PagesClamped is PagesHonest, but takes a page_size above 100 for 100 instead of refusing it.
	PagesClamped
)

const (
	defaultPageSize = 10
	maxPageSize     = 100
)

// pageChoice is a mode for some operations, or for all that have pages.
type pageChoice struct {
	mode       PageMode
	operations []string
}

// choosePages carries out what the options say of pages, once the contract is there.
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
			return fmt.Errorf("operation %q has no pages", operation)
		}
		pages[operation] = choice.mode
	}
	return nil
}

// listOperations returns the operations that take a page.
func (c *contract) listOperations() []string {
	return slices.DeleteFunc(c.operationNames(), func(name string) bool { return !c.operations[name].paged })
}

// SetPages chooses how the lists of the operations end from now on, or of all operations with pages if none is named. The error says
// which operation has no pages.
func (s *Simulator) SetPages(mode PageMode, operations ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := (pageChoice{mode, operations}).apply(s.contract, s.config.pages); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	return nil
}

// shapePages makes a page_size that is too large the largest, before the contract sees it, where the mode says so.
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

// page is a part of a list and what can be said about its place.
type page[T any] struct {
	items   []T
	number  int
	size    int
	total   int
	hasMore bool
	// boast is set where has_more is said although an honest list would not say it.
	reportsMore bool
}

// pageOf returns the page of a list that a call asks for. A number or a size of 0 stands for the usual one.
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
		p.total = max(p.total, number*size+1) // so that whoever counts goes on as well
		return p
	}
	// A page far beyond the end must not overflow.
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
