package simulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

func TestRequestsWithTheSameIdempotencyKeyRunOnce(t *testing.T) {
	for name, options := range map[string][]simulator.Option{"implemented": nil, "derived": {simulator.WithoutImplementations()}} {
		t.Run(name, func(t *testing.T) {
			b := start(t, append(options, simulator.WithAPIKey("other", 10))...)
			requestBody := withField(speechRequest, `"idempotency_key":"order-1"`)
			reordered := `{"idempotency_key":"order-1","voice_id":"en-US-ChristopherNeural", "text":"Two plus two is four. So it is."}`
			before := must(b.sim.Credits(key))
			first := b.must(b.post(pathOf("synthesizeSpeech"), requestBody)).text("task_id")
			spent := before - must(b.sim.Credits(key))
			for _, again := range []string{requestBody, reordered} {
				if id := b.must(b.post(pathOf("synthesizeSpeech"), again)).text("task_id"); id != first {
					t.Errorf("the same request returns task %s, then %s", first, id)
				}
			}
			if all := before - must(b.sim.Credits(key)); spent <= 0 || all != spent {
				t.Errorf("%v credits for the first request, %v with its repetitions", spent, all)
			}
			r := b.post(pathOf("synthesizeSpeech"), strings.Replace(requestBody, "four", "five", 1))
			if r.code != simulator.CodeInvalidParameter || !strings.HasPrefix(r.msg, "invalid parameter idempotency_key") {
				t.Errorf("another request with the key: %s", r.body)
			}
			if n := len(b.sim.Tasks()); n != 1 {
				t.Errorf("%d tasks", n)
			}
			others := map[string]string{
				"another key":     b.must(b.post(pathOf("synthesizeSpeech"), strings.Replace(requestBody, "order-1", "order-2", 1))).text("task_id"),
				"no key":          b.must(b.post(pathOf("synthesizeSpeech"), speechRequest)).text("task_id"),
				"no key again":    b.must(b.post(pathOf("synthesizeSpeech"), speechRequest)).text("task_id"),
				"another account": b.must(b.call("other", "POST", pathOf("synthesizeSpeech"), requestBody)).text("task_id"),
			}
			seen := map[string]bool{first: true}
			for what, id := range others {
				if seen[id] {
					t.Errorf("%s returns an existing task", what)
				}
				seen[id] = true
			}
		})
	}
}

func TestRejectedRequestCanBeRetriedWithItsKey(t *testing.T) {
	b := start(t)
	requestBody := withField(speechRequest, `"idempotency_key":"order-1"`)
	if err := b.sim.SetCredits(key, 0); err != nil {
		t.Fatal(err)
	}
	if r := b.post(pathOf("synthesizeSpeech"), requestBody); r.code != simulator.CodeInsufficientCredit {
		t.Fatalf("without credits: %s", r.body)
	}
	if err := b.sim.SetCredits(key, 1); err != nil {
		t.Fatal(err)
	}
	if r := b.must(b.post(pathOf("synthesizeSpeech"), requestBody)); r.text("task_id") == "" || len(b.sim.Tasks()) != 1 {
		t.Errorf("with credits: %s", r.body)
	}
}

// This is what idempotency keys are for: the request took effect, but its response was lost.
func TestRetryAfterLostResponseIsNotChargedAgain(t *testing.T) {
	b := start(t)
	requestBody := withField(speechRequest, `"idempotency_key":"order-1"`)
	b.sim.FailNext("synthesizeSpeech", simulator.Fault{HTTPStatus: 502, TakesEffect: true})
	if r := b.post(pathOf("synthesizeSpeech"), requestBody); r.status != 502 {
		t.Fatalf("response %d", r.status)
	}
	before := must(b.sim.Credits(key))
	id := b.must(b.post(pathOf("synthesizeSpeech"), requestBody)).text("task_id")
	if tasks := b.sim.Tasks(); len(tasks) != 1 || tasks[0].ID != id || must(b.sim.Credits(key)) != before {
		t.Errorf("tasks %+v", tasks)
	}
}

func TestOldIdempotencyKeysAreDropped(t *testing.T) {
	b := start(t, simulator.WithLogSize(4), simulator.WithPostLimit(0, time.Minute))
	send := func(n int) string {
		return b.must(b.post(pathOf("synthesizeSpeech"), withField(speechRequest, `"idempotency_key":"`+strings.Repeat("k", n+1)+`"`))).text("task_id")
	}
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = send(i)
	}
	if again := send(11); again != ids[11] {
		t.Error("the last key is unknown")
	}
	if again := send(0); again == ids[0] {
		t.Error("the first key is still known")
	}
}
