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

// largestPage is how many items the API sends at once at most. Its own default is ten.
const largestPage = 100

// page is one answer of a listing: its items, and what it tells about the end. A field that was not told is zero.
type page[T any] struct {
	items []T
	pages int   // how many pages there are
	total int64 // how many items there are
	size  int   // how many items the service puts on a page
	more  told  // whether another page follows
}

// told is what an answer says to a question of yes and no.
type told int

const (
	toldNothing told = iota
	toldYes
	toldNo
)

// listing is what the loop has to know of an operation that answers with a list L of items T, which are told apart by a K.
type listing[L, T any, K comparable] struct {
	name  string
	fetch func(number, size int, opts []CallOption) (*L, error)
	open  func(*L) page[T]
	id    func(T) K // the zero value of K where an item has none
	more  []string  // where the content of an answer says whether another page follows; nil if nowhere
}

// pages is the loop behind every iterator.
func (l listing[L, T, K]) pages(first, size int, opts []CallOption) iter.Seq2[T, error] {
	first = max(first, 1)
	if size == 0 {
		size = largestPage
	}
	return func(yield func(T, error) bool) {
		r := reading[T, K]{first: first, size: size, id: l.id, seen: make(map[K]struct{})}
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

// page fetches one page. Whether another one follows is read from the body, because the Go field does not tell a no from silence.
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
		p.more = yesOrNo(valueAt(response.Body, append([]string{"data"}, l.more...)...))
	}
	return p, nil
}

// yesOrNo reads a truth value, also where it came as a text or a number.
func yesOrNo(value jsontext.Value) told {
	switch strings.ToLower(strings.Trim(string(value), `" `)) {
	case "true", "1":
		return toldYes
	case "false", "0":
		return toldNo
	default:
		return toldNothing
	}
}

// valueAt returns what stands in a JSON object under the first name, in that under the second, and so on. It is nil if nothing does.
func valueAt(body []byte, names ...string) jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewBuffer(withoutMark(body)), asSent)
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

// enter reads an object up to the value of a member. It reports whether there is one.
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

// reading is how far one loop over a listing has got.
type reading[T any, K comparable] struct {
	first, size int
	id          func(T) K
	seen        map[K]struct{}
	previous    []T
	received    int64
}

// fresh returns the items that were not there before. An item without an id cannot be told from others like it, so it counts as
// new, unless the whole page is the previous one again.
func (r *reading[T, K]) fresh(items []T) []T {
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

// ended reports whether p, the page of that number, is the last one.
func (r *reading[T, K]) ended(p page[T], number int) bool {
	switch {
	case p.more == toldNo:
		return true
	case p.pages > 0:
		return number >= p.pages
	case p.total > 0:
		return r.skipped(p)+r.received >= p.total
	case p.more == toldYes:
		return false
	default:
		return len(p.items) < len(r.previous)
	}
}

// skipped is the number of items on the pages before the first one read. The service's own size of a page counts before the size
// asked for.
func (r *reading[T, K]) skipped(p page[T]) int64 {
	size := r.size
	if p.size > 0 {
		size = p.size
	}
	return int64(r.first-1) * int64(size)
}
