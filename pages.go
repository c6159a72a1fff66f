package jogg

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/jogg-go/jogg/gen"
)

// largestPage is how many items the API sends at once at most. Its own default is ten.
const largestPage = 100

// PublicAvatars ranges over the avatars that every account may use.
//
// What follows holds for all the listings of this kind.
//
// Pages are fetched as the loop reaches them, so leaving the loop leaves the rest unfetched. The loop begins with params.Page, or
// with the first page if that is zero. Zero for params.PageSize stands for 100, the most the API sends at once, so that the fewest
// requests are made. The other fields of params filter and sort as they do in the List operation.
//
// An error comes with a zero item, says which page it is about, and ends the loop. The same iterator can be ranged over again, also
// concurrently, and begins anew each time.
//
// The end is found in whichever way the service tells it: by a number of pages, by a number of items, or by a word that there is
// more. Where it tells nothing, an empty page or one that is smaller than those before is the end; the first page is never taken
// for too small, because the service may send smaller pages than it was asked for. The service has been seen to ignore the page and
// to answer the same over and over, so a page that brings nothing new is the end, whatever it says, and an item that was yielded
// once is not yielded again. For that the ids of all items stay in memory as long as the loop runs.
func (c *Client) PublicAvatars(ctx context.Context, params gen.ListPublicAvatarsParams) iter.Seq2[gen.PublicAvatar, error] {
	fetch := func(number, size int) (*gen.PublicAvatarList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListPublicAvatars(ctx, query)
	}
	open := func(l *gen.PublicAvatarList) page[gen.PublicAvatar] {
		return page[gen.PublicAvatar]{items: l.Avatars, more: l.HasMore}
	}
	return pages("PublicAvatars", params.Page, params.PageSize, fetch, open, func(a gen.PublicAvatar) int64 { return a.ID })
}

// CustomAvatars ranges over the avatars that the account made from videos, as [Client.PublicAvatars] does over the public ones.
func (c *Client) CustomAvatars(ctx context.Context, params gen.ListCustomAvatarsParams) iter.Seq2[gen.CustomAvatar, error] {
	fetch := func(number, size int) (*gen.CustomAvatarList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListCustomAvatars(ctx, query)
	}
	open := func(l *gen.CustomAvatarList) page[gen.CustomAvatar] {
		return page[gen.CustomAvatar]{items: l.Avatars, more: l.HasMore}
	}
	return pages("CustomAvatars", params.Page, params.PageSize, fetch, open, func(a gen.CustomAvatar) int64 { return a.ID })
}

// PhotoAvatars ranges over the avatars that the account made from photos, as [Client.PublicAvatars] does over the public ones.
func (c *Client) PhotoAvatars(ctx context.Context, params gen.ListPhotoAvatarsParams) iter.Seq2[gen.PhotoAvatar, error] {
	fetch := func(number, size int) (*gen.PhotoAvatarList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListPhotoAvatars(ctx, query)
	}
	open := func(l *gen.PhotoAvatarList) page[gen.PhotoAvatar] {
		return page[gen.PhotoAvatar]{items: l.Avatars, more: l.HasMore}
	}
	return pages("PhotoAvatars", params.Page, params.PageSize, fetch, open, func(a gen.PhotoAvatar) int64 { return a.ID })
}

// Voices ranges over the voices that every account may use, as [Client.PublicAvatars] does over the public avatars.
func (c *Client) Voices(ctx context.Context, params gen.ListVoicesParams) iter.Seq2[gen.Voice, error] {
	fetch := func(number, size int) (*gen.VoiceList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListVoices(ctx, query)
	}
	open := func(l *gen.VoiceList) page[gen.Voice] {
		return page[gen.Voice]{items: l.Voices, more: l.HasMore, last: !l.HasMore}
	}
	return pages("Voices", params.Page, params.PageSize, fetch, open, func(v gen.Voice) string { return v.VoiceID })
}

// Music ranges over the music that a video can be given, as [Client.PublicAvatars] does over the public avatars.
func (c *Client) Music(ctx context.Context, params gen.ListMusicParams) iter.Seq2[gen.Music, error] {
	fetch := func(number, size int) (*gen.MusicList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListMusic(ctx, query)
	}
	open := func(l *gen.MusicList) page[gen.Music] {
		return page[gen.Music]{
			items: l.Music, pages: l.Pagination.TotalPages, total: l.Pagination.TotalItems,
			size: l.Pagination.PageSize,
		}
	}
	return pages("Music", params.Page, params.PageSize, fetch, open, func(m gen.Music) int64 { return m.ID })
}

// ProductVideos ranges over the account's product videos, as [Client.PublicAvatars] does over the public avatars.
func (c *Client) ProductVideos(ctx context.Context, params gen.ListProductVideosParams) iter.Seq2[gen.ProductVideoSummary, error] {
	fetch := func(number, size int) (*gen.ProductVideoList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListProductVideos(ctx, query)
	}
	open := func(l *gen.ProductVideoList) page[gen.ProductVideoSummary] {
		return page[gen.ProductVideoSummary]{items: l.Videos, total: l.Total, size: l.PageSize}
	}
	return pages("ProductVideos", params.Page, params.PageSize, fetch, open, func(v gen.ProductVideoSummary) string { return v.ID })
}

// ProductPreviews ranges over the account's product previews, as [Client.PublicAvatars] does over the public avatars.
func (c *Client) ProductPreviews(ctx context.Context, params gen.ListProductPreviewsParams) iter.Seq2[gen.ProductVideoSummary, error] {
	fetch := func(number, size int) (*gen.ProductPreviewList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListProductPreviews(ctx, query)
	}
	open := func(l *gen.ProductPreviewList) page[gen.ProductVideoSummary] {
		return page[gen.ProductVideoSummary]{items: l.Previews, total: l.Total, size: l.PageSize}
	}
	return pages("ProductPreviews", params.Page, params.PageSize, fetch, open, func(v gen.ProductVideoSummary) string { return v.ID })
}

// TemplateVideos ranges over the account's template videos, as [Client.PublicAvatars] does over the public avatars.
func (c *Client) TemplateVideos(ctx context.Context, params gen.ListTemplateVideosParams) iter.Seq2[gen.TemplateVideoSummary, error] {
	fetch := func(number, size int) (*gen.TemplateVideoList, error) {
		query := params
		query.Page, query.PageSize = number, size
		return c.ListTemplateVideos(ctx, query)
	}
	open := func(l *gen.TemplateVideoList) page[gen.TemplateVideoSummary] {
		return page[gen.TemplateVideoSummary]{
			items: l.Data, pages: l.Pagination.TotalPages, total: l.Pagination.TotalItems,
			size: l.Pagination.PageSize,
		}
	}
	id := func(v gen.TemplateVideoSummary) string { return v.VideoID }
	return pages("TemplateVideos", params.Page, params.PageSize, fetch, open, id)
}

// page is one answer of a listing: its items, and what it tells about the end. A field that was not told is zero.
type page[T any] struct {
	items []T
	pages int   // how many pages there are
	total int64 // how many items there are
	size  int   // how many items the service puts on a page
	more  bool  // another page follows
	last  bool  // no other page follows
}

// pages is the loop behind every listing. It fetches a list, opens it as a page, and tells its items apart by their id, which is
// the zero value of K where an item has none.
func pages[L, T any, K comparable](
	listing string, first, size int, fetch func(number, size int) (*L, error), open func(*L) page[T], id func(T) K,
) iter.Seq2[T, error] {
	first = max(first, 1)
	if size == 0 {
		size = largestPage
	}
	return func(yield func(T, error) bool) {
		r := reading[T, K]{first: first, size: size, id: id, seen: make(map[K]struct{})}
		for number := first; ; number++ {
			list, err := fetch(number, size)
			if err != nil {
				var none T
				yield(none, fmt.Errorf("jogg: %s: page %d: %w", listing, number, err))
				return
			}
			p := open(list)
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
	case p.pages > 0:
		return number >= p.pages
	case p.total > 0:
		return r.skipped(p)+r.received >= p.total
	case p.more || p.last:
		return p.last
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
