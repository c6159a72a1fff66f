package jogg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

// shelf is a list on a server: how many items it has, and how the server behaves with pages.
type shelf struct {
	items       int
	pageSize    int  // the size of the server's pages; 0 means the size that the client asks for
	ignoresPage bool // every response is the whole list
	hasMore     string
	silent      bool // nothing is reported about the end
}

// listings are the eight iterators in a common form: each yields the ids of its items.
var listings = []struct {
	name string
	// list ranges over the listing, starting at a page.
	list func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error]
	// path is the path of the list operation.
	path string
	// answer returns the data of one page: ids are JSON values, page and size are those of the server.
	answer func(ids []string, s shelf, page, size int) string
	tells  bool // whether, as documented, the response reports the end
}{{
	name: "PublicAvatars", path: paths.Of("listPublicAvatars"), answer: avatarAnswer,
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.PublicAvatars(ctx, gen.ListPublicAvatarsParams{Page: page, PageSize: size}),
			func(a gen.PublicAvatar) string { return strconv.FormatInt(a.ID, 10) })
	},
}, {
	name: "CustomAvatars", path: paths.Of("listCustomAvatars"), answer: avatarAnswer,
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.CustomAvatars(ctx, gen.ListCustomAvatarsParams{Page: page, PageSize: size}),
			func(a gen.CustomAvatar) string { return strconv.FormatInt(a.ID, 10) })
	},
}, {
	name: "PhotoAvatars", path: paths.Of("listPhotoAvatars"), answer: avatarAnswer,
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.PhotoAvatars(ctx, gen.ListPhotoAvatarsParams{Page: page, PageSize: size}),
			func(a gen.PhotoAvatar) string { return strconv.FormatInt(a.ID, 10) })
	},
}, {
	name: "Voices", path: paths.Of("listVoices"), tells: true,
	answer: func(ids []string, s shelf, page, size int) string {
		more := s.hasMore
		if more == "" {
			more = strconv.FormatBool(page*size < s.items)
		}
		return fmt.Sprintf(`{"voices":%s,"has_more":%s}`, objects("voice_id", quoted(ids)), more)
	},
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.Voices(ctx, gen.ListVoicesParams{Page: page, PageSize: size}), func(v gen.Voice) string { return v.VoiceID })
	},
}, {
	name: "Music", path: paths.Of("listMusic"), tells: true,
	answer: func(ids []string, s shelf, page, size int) string {
		return fmt.Sprintf(`{"music":%s%s}`, objects("id", ids), pagination(s, page, size))
	},
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.Music(ctx, gen.ListMusicParams{Page: page, PageSize: size}),
			func(m gen.Music) string { return strconv.FormatInt(m.ID, 10) })
	},
}, {
	name: "ProductVideos", path: paths.Of("listProductVideos"), tells: true,
	answer: func(ids []string, s shelf, page, size int) string {
		return fmt.Sprintf(`{"videos":%s%s}`, objects("id", quoted(ids)), total(s, page, size))
	},
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.ProductVideos(ctx, gen.ListProductVideosParams{Page: page, PageSize: size}),
			func(v gen.ProductVideoSummary) string { return v.ID })
	},
}, {
	name: "ProductPreviews", path: paths.Of("listProductPreviews"), tells: true,
	answer: func(ids []string, s shelf, page, size int) string {
		return fmt.Sprintf(`{"previews":%s%s}`, objects("id", quoted(ids)), total(s, page, size))
	},
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.ProductPreviews(ctx, gen.ListProductPreviewsParams{Page: page, PageSize: size}),
			func(v gen.ProductVideoSummary) string { return v.ID })
	},
}, {
	name: "TemplateVideos", path: paths.Of("listTemplateVideos"), tells: true,
	answer: func(ids []string, s shelf, page, size int) string {
		return fmt.Sprintf(`{"data":%s%s}`, objects("video_id", quoted(ids)), pagination(s, page, size))
	},
	list: func(ctx context.Context, c *Client, page, size int) iter.Seq2[string, error] {
		return ids(c.TemplateVideos(ctx, gen.ListTemplateVideosParams{Page: page, PageSize: size}),
			func(v gen.TemplateVideoSummary) string { return v.VideoID })
	},
}}

func avatarAnswer(ids []string, s shelf, _, _ int) string {
	more := ""
	if s.hasMore != "" {
		more = `,"has_more":` + s.hasMore
	}
	return fmt.Sprintf(`{"avatars":%s%s}`, objects("id", ids), more)
}

func pagination(s shelf, page, size int) string {
	if s.silent {
		return ""
	}
	return fmt.Sprintf(`,"pagination":{"page":%d,"page_size":%d,"total_items":%d,"total_pages":%d}`,
		page, size, s.items, (s.items+size-1)/size)
}

func total(s shelf, page, size int) string {
	if s.silent {
		return ""
	}
	return fmt.Sprintf(`,"page":%d,"page_size":%d,"total":%d`, page, size, s.items)
}

func quoted(ids []string) []string {
	quoted := make([]string, 0, len(ids))
	for _, id := range ids {
		quoted = append(quoted, strconv.Quote(id))
	}
	return quoted
}

func objects(key string, values []string) string {
	items := make([]string, 0, len(values))
	for _, value := range values {
		items = append(items, fmt.Sprintf(`{%q:%s}`, key, value))
	}
	return "[" + strings.Join(items, ",") + "]"
}

func ids[T any](items iter.Seq2[T, error], id func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range items {
			if !yield(id(item), err) {
				return
			}
		}
	}
}

// pageServer responds to requests for pages without a network.
type pageServer struct {
	answer func(query url.Values) string // the content of data, or a whole envelope
	mu     sync.Mutex
	paths  []string
	asked  []url.Values
}

func (s *pageServer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if len(s.asked) == 100 {
		return nil, errors.New("the loop does not end")
	}
	s.paths, s.asked = append(s.paths, req.URL.Path), append(s.asked, req.URL.Query())
	body := s.answer(req.URL.Query())
	if !strings.HasPrefix(body, `{"code"`) {
		body = `{"code":0,"msg":"Success","data":` + body + `}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}, nil
}

// serve returns a server that has a shelf for one of the listings.
func (s shelf) serve(answer func(ids []string, s shelf, page, size int) string) *pageServer {
	return &pageServer{answer: func(query url.Values) string {
		page, _ := strconv.Atoi(query.Get("page"))
		size, _ := strconv.Atoi(query.Get("page_size"))
		if s.pageSize > 0 {
			size = s.pageSize
		}
		if s.ignoresPage {
			return answer(numbers(1, s.items), s, 1, size)
		}
		return answer(numbers((page-1)*size+1, min(page*size, s.items)), s, page, size)
	}}
}

// numbers returns the ids from first to last.
func numbers(first, last int) []string {
	var ids []string
	for id := first; id <= last; id++ {
		ids = append(ids, strconv.Itoa(id))
	}
	return ids
}

// collect ranges to the end and returns the items.
func collect(items iter.Seq2[string, error]) (all []string, err error) {
	for item, failed := range items {
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		all = append(all, item)
	}
	return all, err
}

func TestListingsEnd(t *testing.T) {
	cases := []struct {
		name             string
		shelf            shelf
		first, size      int
		told, untold     int // number of requests if the response reports the end, and if it does not
		items, itemsFrom int
	}{
		{name: "on the last page", shelf: shelf{items: 23}, size: 10, told: 3, untold: 3, items: 23},
		{name: "on a full last page", shelf: shelf{items: 20}, size: 10, told: 2, untold: 3, items: 20},
		{name: "on the only page", shelf: shelf{items: 7}, told: 1, untold: 2, items: 7},
		{name: "when there is nothing", shelf: shelf{items: 0}, told: 1, untold: 1},
		{name: "when there is more than one largest page", shelf: shelf{items: 250}, told: 3, untold: 3, items: 250},
		{
			name: "when the pages are smaller than asked for", shelf: shelf{items: 35, pageSize: 10}, size: 100,
			told: 4, untold: 4, items: 35,
		},
		{name: "when the pages are larger than asked for", shelf: shelf{items: 35, pageSize: 20}, size: 5, told: 2, untold: 2, items: 35},
		{
			name: "when they begin in the middle", shelf: shelf{items: 35}, first: 3, size: 10,
			told: 2, untold: 2, items: 15, itemsFrom: 20,
		},
		{
			name: "when they begin in the middle of smaller pages", shelf: shelf{items: 35, pageSize: 10}, first: 2, size: 50,
			told: 3, untold: 3, items: 25, itemsFrom: 10,
		},
		{name: "when they begin behind the end", shelf: shelf{items: 5}, first: 4, size: 10, told: 1, untold: 1},
		{name: "when nothing is reported", shelf: shelf{items: 23, silent: true, hasMore: "true"}, size: 10, told: 3, untold: 4, items: 23},
	}
	for _, c := range cases {
		for _, l := range listings {
			t.Run(c.name+"/"+l.name, func(t *testing.T) {
				server := c.shelf.serve(l.answer)
				all, err := collect(l.list(t.Context(), waitClient(t, server), c.first, c.size))
				if err != nil {
					t.Fatal(err)
				}
				if want := numbers(c.itemsFrom+1, c.itemsFrom+c.items); !slices.Equal(all, want) {
					t.Errorf("got items %v, want %v", all, want)
				}
				want := c.untold
				if l.tells && !(l.name == "Voices" && c.shelf.silent) {
					want = c.told
				}
				if len(server.asked) != want {
					t.Errorf("%d requests, want %d: %v", len(server.asked), want, server.asked)
				}
				if server.paths[0] != l.path {
					t.Errorf("asked at %s, want %s", server.paths[0], l.path)
				}
			})
		}
	}
}

// The end of a listing that starts in the middle follows from the reported total and the number of items skipped. That is computed from the
// page size, and the size that the service reports takes precedence over the requested one.
func TestListingsThatBeginInTheMiddleKnowWhatTheySkip(t *testing.T) {
	for _, c := range []struct {
		name                string
		first, size, served int
		told                string // what the responses report beside the total of 35
		asked               string // the requested page size
		from, requests      int
	}{
		{name: "no size is reported", first: 3, size: 10, served: 10, asked: "10", from: 21, requests: 2},
		{name: "no size is reported or requested", first: 2, served: 20, asked: "100", from: 21, requests: 1},
		{name: "the reported size is smaller", first: 3, size: 20, served: 10, told: `,"page_size":10`, asked: "20", from: 21, requests: 2},
		{name: "the reported size is one", first: 34, size: 10, served: 1, told: `,"page_size":1`, asked: "10", from: 34, requests: 2},
		{name: "the reported size is zero", first: 3, size: 10, served: 10, told: `,"page_size":0`, asked: "10", from: 21, requests: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &pageServer{answer: func(query url.Values) string {
				page, _ := strconv.Atoi(query.Get("page"))
				items := numbers((page-1)*c.served+1, min(page*c.served, 35))
				return fmt.Sprintf(`{"videos":%s,"total":35%s}`, objects("id", quoted(items)), c.told)
			}}
			params := gen.ListProductVideosParams{Page: c.first, PageSize: c.size}
			all, err := collect(ids(waitClient(t, server).ProductVideos(t.Context(), params), func(v gen.ProductVideoSummary) string { return v.ID }))
			if err != nil || !slices.Equal(all, numbers(c.from, 35)) {
				t.Errorf("got items %v and error %v, want %d to 35", all, err, c.from)
			}
			if len(server.asked) != c.requests || server.asked[0].Get("page_size") != c.asked {
				t.Errorf("asked %v, want %d requests for %s items each", server.asked, c.requests, c.asked)
			}
		})
	}
}

func TestListingsEndWhenTheServerRepeatsItself(t *testing.T) {
	for _, items := range []int{1, 30, 100, 230} {
		for _, l := range listings {
			t.Run(fmt.Sprintf("%d/%s", items, l.name), func(t *testing.T) {
				server := shelf{items: items, ignoresPage: true, hasMore: "true"}.serve(l.answer)
				all, err := collect(l.list(t.Context(), waitClient(t, server), 0, 10))
				if err != nil || !slices.Equal(all, numbers(1, items)) {
					t.Errorf("got items %v and error %v, want %d items once each", all, err, items)
				}
				if len(server.asked) > 2 {
					t.Errorf("%d requests, want at most 2", len(server.asked))
				}
			})
		}
	}
}

func TestListingsEndWhenThereIsAlwaysMore(t *testing.T) {
	responses := map[string]func(query url.Values) string{
		"and nothing comes": func(query url.Values) string {
			if query.Get("page") == "1" {
				return `{"voices":[{"voice_id":"a"},{"voice_id":"b"}],"has_more":true}`
			}
			return `{"voices":[],"has_more":true}`
		},
		"and null comes": func(query url.Values) string {
			if query.Get("page") == "1" {
				return `{"voices":[{"voice_id":"a"},{"voice_id":"b"}],"has_more":true}`
			}
			return `{"voices":null,"has_more":true}`
		},
		"and the same comes in another order": func(query url.Values) string {
			if query.Get("page") == "1" {
				return `{"voices":[{"voice_id":"a"},{"voice_id":"b"}],"has_more":true}`
			}
			return `{"voices":[{"voice_id":"b"},{"voice_id":"a"}],"has_more":true}`
		},
		"and the last page comes again and again": func(query url.Values) string {
			if query.Get("page") == "1" {
				return `{"voices":[{"voice_id":"a"}],"has_more":true}`
			}
			return `{"voices":[{"voice_id":"b"}],"has_more":true}`
		},
	}
	for name, answer := range responses {
		t.Run(name, func(t *testing.T) {
			server := &pageServer{answer: answer}
			var all []string
			for voice, err := range waitClient(t, server).Voices(t.Context(), gen.ListVoicesParams{}) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, voice.VoiceID)
			}
			if !slices.Equal(all, []string{"a", "b"}) || len(server.asked) > 3 {
				t.Errorf("got %v after %d requests, want a and b after at most 3", all, len(server.asked))
			}
		})
	}
}

func TestListingsEndWhereTheResponseSaysNo(t *testing.T) {
	full := `[{"id":1},{"id":2}]`
	for first, requests := range map[string]int{
		`{"avatars":` + full + `,"has_more":false}`:              1,
		`{"has_more":false,"avatars":` + full + `}`:              1,
		`{"avatars":` + full + `}`:                               2,
		`{"avatars":` + full + `,"has_more":null}`:               2,
		`{"avatars":` + full + `,"more":{"has_more":false}}`:     2,
		`{"avatars":[{"id":1,"has_more":false},{"id":2}]}`:       2,
		`{"avatars":` + full + `,"has_more":true,"total":false}`: 2,
	} {
		server := &pageServer{answer: func(query url.Values) string {
			if query.Get("page") == "1" {
				return first
			}
			return `{"avatars":[{"id":3}],"has_more":false}`
		}}
		want := []int64{1, 2, 3}[:requests+1]
		var got []int64
		for avatar, err := range waitClient(t, server).PhotoAvatars(t.Context(), gen.ListPhotoAvatarsParams{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, avatar.ID)
		}
		if !slices.Equal(got, want) || len(server.asked) != requests {
			t.Errorf("%s: got %v after %d requests, want %v after %d", first, got, len(server.asked), want, requests)
		}
	}
}

func TestTernaryComesInManyForms(t *testing.T) {
	for value, want := range map[string]ternary{
		"true": ternaryTrue, `"true"`: ternaryTrue, "1": ternaryTrue, "false": ternaryFalse, `"False"`: ternaryFalse, "0": ternaryFalse, `"0"`: ternaryFalse,
		"": ternaryUnknown, "null": ternaryUnknown, "2": ternaryUnknown, `"who knows"`: ternaryUnknown, "[]": ternaryUnknown, "{}": ternaryUnknown,
	} {
		if got := parseTernary(jsontext.Value(value)); got != want {
			t.Errorf("%s is %v, want %v", value, got, want)
		}
	}
}

func TestListingsTrustItemsMoreThanWhatIsReported(t *testing.T) {
	cases := []struct {
		name     string
		pages    []string
		want     []string
		requests int
	}{
		{"a total that is too large", []string{
			`{"videos":[{"id":"a"},{"id":"b"}],"page":1,"page_size":2,"total":9}`,
			`{"videos":[{"id":"c"}],"page":2,"page_size":2,"total":9}`,
			`{"videos":[],"page":3,"page_size":2,"total":9}`,
		}, []string{"a", "b", "c"}, 3},
		{"a page size that only repeats what was asked for", []string{
			`{"videos":[{"id":"a"},{"id":"b"}],"page":1,"page_size":100,"total":3}`,
			`{"videos":[{"id":"c"}],"page":2,"page_size":100,"total":3}`,
		}, []string{"a", "b", "c"}, 2},
		{"items that move to the next page while the list grows", []string{
			`{"videos":[{"id":"a"},{"id":"b"}],"page":1,"page_size":2,"total":3}`,
			`{"videos":[{"id":"b"},{"id":"c"}],"page":2,"page_size":2,"total":4}`,
		}, []string{"a", "b", "c"}, 2},
		{"an item that is twice on a page", []string{
			`{"videos":[{"id":"a"},{"id":"a"},{"id":"b"}],"page":1,"page_size":3,"total":3}`,
		}, []string{"a", "b"}, 1},
		{"items without an id", []string{
			`{"videos":[{"title":"x"},{"title":"x"},{"title":"y"}]}`,
			`{"videos":[{"title":"x"},{"id":"a"}]}`,
		}, []string{"", "", "", "", "a"}, 2},
		{"items without an id, over and over", []string{
			`{"videos":[{"title":"x"},{"title":"y"}],"total":90}`,
			`{"videos":[{"title":"x"},{"title":"y"}],"total":90}`,
		}, []string{"", ""}, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := &pageServer{}
			server.answer = func(query url.Values) string {
				page, _ := strconv.Atoi(query.Get("page"))
				return c.pages[min(page, len(c.pages))-1]
			}
			all, err := collect(ids(waitClient(t, server).ProductVideos(t.Context(), gen.ListProductVideosParams{}),
				func(v gen.ProductVideoSummary) string { return v.ID }))
			if err != nil || !slices.Equal(all, c.want) || len(server.asked) != c.requests {
				t.Errorf("got %q and error %v after %d requests, want %q after %d", all, err, len(server.asked), c.want, c.requests)
			}
		})
	}
}

func TestListingsYieldAnErrorOnceAndEnd(t *testing.T) {
	for _, l := range listings {
		t.Run(l.name, func(t *testing.T) {
			good := shelf{items: 50, hasMore: "true"}.serve(l.answer)
			server := &pageServer{}
			server.answer = func(query url.Values) string {
				if query.Get("page") == "3" {
					return `{"code":18025,"msg":"not for you"}`
				}
				return good.answer(query)
			}
			var all []string
			var failures []error
			for id, err := range l.list(t.Context(), waitClient(t, server), 0, 10) {
				if err != nil {
					failures = append(failures, err)
					if id != "" && id != "0" {
						t.Errorf("item %q beside an error, want none", id)
					}
					continue
				}
				all = append(all, id)
			}
			if !slices.Equal(all, numbers(1, 20)) || len(server.asked) != 3 {
				t.Errorf("got %v after %d requests, want 20 items after 3", all, len(server.asked))
			}
			_, ok := errors.AsType[*APIError](errors.Join(failures...))
			if len(failures) != 1 || !errors.Is(failures[0], ErrNoPermission) || !ok {
				t.Fatalf("errors %v, want one, of the service's", failures)
			}
			if text := failures[0].Error(); !strings.Contains(text, l.name) || !strings.Contains(text, "page 3") {
				t.Errorf("error reads %q, want it to name %s and page 3", text, l.name)
			}
		})
	}
}

func TestLeavingAListingStopsFetching(t *testing.T) {
	for _, taken := range []int{1, 9, 10, 11, 20} {
		for _, l := range listings {
			server := shelf{items: 50, hasMore: "true"}.serve(l.answer)
			left := 0
			for _, err := range l.list(t.Context(), waitClient(t, server), 0, 10) {
				if err != nil {
					t.Fatal(err)
				}
				if left++; left == taken {
					break
				}
			}
			if want := (taken + 9) / 10; len(server.asked) != want {
				t.Errorf("%s: %d requests for %d items, want %d", l.name, len(server.asked), taken, want)
			}
		}
	}
}

func TestAListingFetchesNothingBeforeItIsRangedOver(t *testing.T) {
	for _, l := range listings {
		server := shelf{items: 5}.serve(l.answer)
		l.list(t.Context(), waitClient(t, server), 0, 0)
		if len(server.asked) != 0 {
			t.Errorf("%s: %d requests, want none", l.name, len(server.asked))
		}
	}
}

func TestAListingCanBeRangedOverAgain(t *testing.T) {
	for _, l := range listings {
		t.Run(l.name, func(t *testing.T) {
			items := l.list(t.Context(), waitClient(t, shelf{items: 23, hasMore: "true"}.serve(l.answer)), 0, 10)
			for range items {
				break
			}
			var loops sync.WaitGroup
			for range 3 {
				loops.Go(func() {
					if all, err := collect(items); err != nil || !slices.Equal(all, numbers(1, 23)) {
						t.Errorf("got %v and error %v, want all 23 from the first on", all, err)
					}
				})
			}
			loops.Wait()
		})
	}
}

func TestListingsAskForPagesAndKeepTheFilters(t *testing.T) {
	server := shelf{items: 250, silent: true}.serve(avatarAnswer)
	params := gen.ListPublicAvatarsParams{Gender: gen.GenderFemale, AspectRatio: gen.AspectRatioPortrait}
	for _, err := range waitClient(t, server).PublicAvatars(t.Context(), params) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var asked []string
	for _, query := range server.asked {
		asked = append(asked, query.Encode())
	}
	want := []string{
		"aspect_ratio=portrait&gender=female&page=1&page_size=100",
		"aspect_ratio=portrait&gender=female&page=2&page_size=100",
		"aspect_ratio=portrait&gender=female&page=3&page_size=100",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if params.Page != 0 || params.PageSize != 0 {
		t.Errorf("the caller's parameters became %+v", params)
	}
}

func TestListingsEndWithTheirContext(t *testing.T) {
	server := shelf{items: 50, hasMore: "true"}.serve(avatarAnswer)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all, failed int
	for _, err := range waitClient(t, server).PublicAvatars(ctx, gen.ListPublicAvatarsParams{PageSize: 10}) {
		if err != nil {
			failed++
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the context's", err)
			}
			continue
		}
		if all++; all == 5 {
			cancel()
		}
	}
	if all != 10 || failed != 1 || len(server.asked) != 1 {
		t.Errorf("%d items, %d errors, %d requests, want the page that had arrived and one error", all, failed, len(server.asked))
	}
}
