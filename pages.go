package jogg

import (
	"bytes"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// largestPage is the largest page size of the API. Its default is ten.
const largestPage = 100

// page is one response of a list operation: its items, and what it reports about the end of the list. A field that was not reported is
// zero.
type page[T any] struct {
	items []T
	pages int     // number of pages
	total int64   // number of items on all pages
	size  int     // number of items that the service puts on a page
	more  ternary // whether another page follows
}

// ternary is a boolean that a response may lack.
type ternary int

const (
	ternaryUnknown ternary = iota
	ternaryTrue
	ternaryFalse
)

// listing is what the loop needs to know about an operation that returns a list L of items T, which are identified by a K.
type listing[L, T any, K comparable] struct {
	name  string
	fetch func(number, size int, opts []CallOption) (*L, error)
	open  func(*L) page[T]
	id    func(T) K // the zero value of K if an item has none
	more  []string  // path of the flag for another page in the content of a response; nil if there is none
}

// pages returns the iterator over the items. It is the loop behind every exported iterator.
func (l listing[L, T, K]) pages(first, size int, opts []CallOption) iter.Seq2[T, error] {
	first = max(first, 1)
	if size == 0 {
		size = largestPage
	}
	return func(yield func(T, error) bool) {
		r := listState[T, K]{first: first, size: size, id: l.id, seen: make(map[K]struct{})}
		for number := first; ; number++ {
			p, err := l.page(number, size, opts)
			if err != nil {
				var none T
				yield(none, fmt.Errorf("jogg: %s: page %d: %w", l.name, number, err))
				return
			}
			fresh := r.fresh(p.items)
			for _, item := range fresh {
				if !yield(item, nil) {
					return
				}
			}
			if len(fresh) == 0 || r.ended(p, number) {
				return
			}
			r.previous = p.items
		}
	}
}

// page fetches one page. The flag for another page is read from the body, because the Go field does not tell false from absent.
func (l listing[L, T, K]) page(number, size int, opts []CallOption) (page[T], error) {
	var response Response
	if l.more != nil {
		opts = append(slices.Clip(opts), WithResponse(&response))
	}
	list, err := l.fetch(number, size, opts)
	if err != nil {
		return page[T]{}, err
	}
	p := l.open(list)
	if l.more != nil {
		p.more = parseTernary(valueAt(response.Body, append([]string{"data"}, l.more...)...))
	}
	return p, nil
}

// parseTernary parses a boolean, which may also be a string or a number.
func parseTernary(value jsontext.Value) ternary {
	switch strings.ToLower(strings.Trim(string(value), `" `)) {
	case "true", "1":
		return ternaryTrue
	case "false", "0":
		return ternaryFalse
	default:
		return ternaryUnknown
	}
}

// valueAt returns the value at the path names in a JSON object. It is nil if there is none.
func valueAt(body []byte, names ...string) jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewBuffer(trimBOM(body)), lenient)
	for _, name := range names {
		if !enter(dec, name) {
			return nil
		}
	}
	value, err := dec.ReadValue()
	if err != nil {
		return nil
	}
	return value
}

// enter reads an object up to the value of a member. It reports whether the object has the member.
func enter(dec *jsontext.Decoder, name string) bool {
	if dec.PeekKind() != jsontext.KindBeginObject {
		return false
	}
	_, err := dec.ReadToken()
	for err == nil {
		member, failed := dec.ReadToken()
		if failed != nil || member.Kind() != jsontext.KindString {
			return false
		}
		if member.String() == name {
			return true
		}
		err = dec.SkipValue()
	}
	return false
}

// listState is the state of one loop over a list.
type listState[T any, K comparable] struct {
	first, size int
	id          func(T) K
	seen        map[K]struct{}
	previous    []T
	received    int64
}

// fresh returns the items that did not occur before. An item without an id cannot be told from others like it, so it counts as new, unless
// the whole page equals the previous one.
func (r *listState[T, K]) fresh(items []T) []T {
	r.received += int64(len(items))
	if reflect.DeepEqual(items, r.previous) {
		return nil
	}
	var unknown K
	fresh := make([]T, 0, len(items))
	for _, item := range items {
		id := r.id(item)
		if _, seen := r.seen[id]; seen {
			continue
		}
		if id != unknown {
			r.seen[id] = struct{}{}
		}
		fresh = append(fresh, item)
	}
	return fresh
}

// ended reports whether p, the page with that number, is the last one.
func (r *listState[T, K]) ended(p page[T], number int) bool {
	switch {
	case p.more == ternaryFalse:
		return true
	case p.pages > 0:
		return number >= p.pages
	case p.total > 0:
		return r.skipped(p)+r.received >= p.total
	case p.more == ternaryTrue:
		return false
	default:
		return len(p.items) < len(r.previous)
	}
}

// skipped returns the number of items on the pages before the first one read. The page size that the service reports takes precedence over
// the requested one.
func (r *listState[T, K]) skipped(p page[T]) int64 {
	size := r.size
	if p.size > 0 {
		size = p.size
	}
	return int64(r.first-1) * int64(size)
}
