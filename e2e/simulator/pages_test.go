package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

// lists has each paginated list: its path, the field with its items, and their number after filled has started three tasks of each kind.
var lists = map[string]struct {
	path, items string
	total       int
}{
	"listPublicAvatars":   {pathOf("listPublicAvatars"), "avatars", 230},
	"listCustomAvatars":   {pathOf("listCustomAvatars"), "avatars", 12},
	"listPhotoAvatars":    {pathOf("listPhotoAvatars"), "avatars", 4},
	"listVoices":          {pathOf("listVoices"), "voices", 120},
	"listMusic":           {pathOf("listMusic"), "music", 44},
	"listProductVideos":   {pathOf("listProductVideos"), "videos", 3},
	"listProductPreviews": {pathOf("listProductPreviews"), "previews", 3},
	"listTemplateVideos":  {pathOf("listTemplateVideos"), "data", 3},
}

func filled(t *testing.T, options ...simulator.Option) *bench {
	b := start(t, append(options, simulator.WithPostLimit(0, time.Minute))...)
	for range 3 {
		b.begin(simulator.KindProductVideo)
		b.begin(simulator.KindTemplateVideo)
		b.begin(simulator.KindPhotoMotion)
		b.must(b.post(pathOf("createProductPreviews"), `{"visual_styles":["Split Story"],`+productFields+`}`))
		b.clock.Advance(time.Minute)
	}
	b.settle()
	return b
}

func items(t *testing.T, r reply, field string) []string {
	t.Helper()
	list, ok := r.data[field].([]any)
	if !ok {
		t.Fatalf("no %s in %s", field, r.body)
	}
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = asJSON(t, item)
	}
	return texts
}

func TestPagesHoldEveryItemOnce(t *testing.T) {
	b := filled(t)
	for operation, list := range lists {
		for _, size := range []int{2, 100} {
			seen, pages := map[string]bool{}, (list.total+size-1)/size
			for page := 1; page <= pages+1; page++ {
				r := b.must(b.get(fmt.Sprintf("%s?page=%d&page_size=%d", list.path, page, size)))
				got := items(t, r, list.items)
				if want := min(size, max(0, list.total-(page-1)*size)); len(got) != want {
					t.Fatalf("%s: page %d of size %d has %d items, want %d", operation, page, size, len(got), want)
				}
				for _, item := range got {
					if seen[item] {
						t.Errorf("%s: twice: %s", operation, item)
					}
					seen[item] = true
				}
				checkEnd(t, operation, r, list.total, page, size)
			}
		}
		if got := items(t, b.get(list.path), list.items); len(got) != min(10, list.total) {
			t.Errorf("%s: the page of default size has %d items", operation, len(got))
		}
		if got := items(t, b.get(list.path+"?page=9223372036854775807&page_size=100"), list.items); len(got) != 0 {
			t.Errorf("%s: the highest possible page has %d items", operation, len(got))
		}
	}
}

// checkEnd checks the pagination fields of PagesHonest.
func checkEnd(t *testing.T, operation string, r reply, total, page, size int) {
	t.Helper()
	pages := (total + size - 1) / size
	switch operation {
	case "listVoices":
		if r.data["has_more"] != (page < pages) {
			t.Errorf("page %d of %d has_more %v", page, pages, r.data["has_more"])
		}
	case "listMusic", "listTemplateVideos":
		want := fmt.Sprintf(`{"page":%d,"page_size":%d,"total_items":%d,"total_pages":%d}`, page, size, total, pages)
		if got := asJSON(t, r.data["pagination"]); got != want {
			t.Errorf("%s: pagination %s, want %s", operation, got, want)
		}
	case "listProductVideos", "listProductPreviews":
		if r.data["total"] != float64(total) || r.data["page"] != float64(page) || r.data["page_size"] != float64(size) {
			t.Errorf("%s: %s", operation, r.body)
		}
	default:
		if _, said := r.data["has_more"]; said {
			t.Errorf("%s returns has_more", operation)
		}
	}
}

func TestPagesCanBeIgnored(t *testing.T) {
	b := filled(t, simulator.WithPages(simulator.PagesIgnored))
	for operation, list := range lists {
		first := items(t, b.get(list.path+"?page=1&page_size=2"), list.items)
		r := b.get(list.path + "?page=7&page_size=2")
		if later := items(t, r, list.items); len(first) != list.total || strings.Join(first, "") != strings.Join(later, "") {
			t.Errorf("%s: %d items, then %d", operation, len(first), len(later))
		}
		if list.items == "avatars" || list.items == "voices" {
			if r.data["has_more"] != true {
				t.Errorf("%s: has_more %v", operation, r.data["has_more"])
			}
		}
	}
}

func TestPagesCanBeEndless(t *testing.T) {
	b := filled(t)
	if err := b.sim.SetPages(simulator.PagesEndless, "listVoices", "listMusic"); err != nil {
		t.Fatal(err)
	}
	if r := b.get(pathOf("listVoices") + "?page=50&page_size=100"); len(items(t, r, "voices")) != 0 || r.data["has_more"] != true {
		t.Errorf("voices: %s", r.body)
	}
	if r := b.get(pathOf("listMusic") + "?page=50"); len(items(t, r, "music")) != 0 || r.data["pagination"].(map[string]any)["total_pages"] != 51.0 {
		t.Errorf("music: %s", r.body)
	}
	if err := b.sim.SetPages(simulator.PagesHonest); err != nil {
		t.Fatal(err)
	}
	if r := b.get(pathOf("listVoices") + "?page=50&page_size=100"); r.data["has_more"] != false {
		t.Errorf("voices: %s", r.body)
	}
	if err := b.sim.SetPages(simulator.PagesHonest, "getCurrentUser"); err == nil {
		t.Error("an operation without a page parameter was accepted")
	}
}

func TestPageSizesCanBeClamped(t *testing.T) {
	b := start(t, simulator.WithPages(simulator.PagesClamped, "listPublicAvatars"))
	if got := items(t, b.must(b.get(pathOf("listPublicAvatars")+"?page_size=5000&gender=female")), "avatars"); len(got) != 100 {
		t.Errorf("%d items", len(got))
	}
	if r := b.get(pathOf("listVoices") + "?page_size=5000"); r.code != simulator.CodeInvalidParameter {
		t.Errorf("voices: %s", r.body)
	}
}

func TestListsAreFilteredAndSorted(t *testing.T) {
	b := filled(t)
	b.begin(simulator.KindProductVideo)
	b.begin(simulator.KindTemplateVideo, simulator.Plan{Fail: &simulator.Reason{}})
	b.advance(5 * time.Second)
	for path, want := range map[string]int{
		pathOf("listProductVideos") + "?status=3": 1, pathOf("listProductVideos") + "?status=4": 3, pathOf("listProductVideos") + "?status=5": 0,
		pathOf("listTemplateVideos") + "?status=3": 1, pathOf("listTemplateVideos") + "?status=4": 3,
		pathOf("listCustomAvatars") + "?status=failed": 3, pathOf("listCustomAvatars") + "?name=amara": 1, pathOf("listPhotoAvatars") + "?name=photo": 1,
		pathOf("listVoices") + "?language=spanish&gender=female&page_size=100": 15, pathOf("listCustomVoices") + "?language=english": 1,
		pathOf("listPublicAvatars") + "?aspect_ratio=square&page_size=100": 76, pathOf("listVisualStyles") + "?aspect_ratio=square": 3, pathOf("listVisualStyles"): 6,
		pathOf("listTemplates") + "?aspect_ratio=portrait": 2, pathOf("listCustomTemplates") + "?aspect_ratio=landscape": 1,
	} {
		r := b.must(b.get(path))
		var got []any
		for _, field := range []string{"videos", "data", "avatars", "voices", "visual_styles", "templates"} {
			if list, ok := r.data[field].([]any); ok {
				got = list
			}
		}
		if len(got) != want {
			t.Errorf("%s: %d items, want %d", path, len(got), want)
		}
	}
	if r := b.get(pathOf("listTemplateVideos") + "?status=3"); strings.Contains(r.body, `"pending"`) || !strings.Contains(r.body, `"status":"processing"`) {
		t.Errorf("a list has the state pending: %s", r.body)
	}
	newest := items(t, b.get(pathOf("listProductVideos")), "videos")
	oldest := items(t, b.get(pathOf("listProductVideos")+"?sort_by=created_at&sort_order=asc"), "videos")
	if newest[0] != oldest[3] || newest[3] != oldest[0] || newest[0] == newest[3] {
		t.Errorf("newest first %v, oldest first %v", newest, oldest)
	}
}
