package jogg

import "sync"

// News passes news from webhooks to waits that would otherwise notice it at their next poll. The zero value is ready for use; it must not
// be copied. All methods are safe for concurrent use.
//
// One News serves a whole program: pass it to every wait with [WithNews], and let the webhook handlers name the task that has ended.
//
//	var news jogg.News
//
//	webhooks.On(router, func(ctx context.Context, ev webhooks.Event, v *webhooks.VideoSucceeded) error {
//		news.Tell(v.VideoID)
//		return nil
//	})
//
//	video, err := client.WaitAvatarVideo(ctx, task.VideoID, jogg.WithNews(&news))
//
// A handler for failures does the same. If deliveries arrive in another process, that process has to pass the id on to this one, which
// calls Tell.
type News struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]struct{}
}

// Tell makes every wait for the task id poll it at once. It never blocks, and it keeps nothing: news about a task without a wait is
// dropped.
func (n *News) Tell(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for listener := range n.listeners[id] {
		select {
		case listener <- struct{}{}:
		default: // a poll is already due
		}
	}
}

// listen returns a channel that receives when there is news about id, and a function that ends that. A nil News has no news.
func (n *News) listen(id string) (news <-chan struct{}, forget func()) {
	if n == nil {
		return nil, func() {}
	}
	listener := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = make(map[string]map[chan struct{}]struct{})
	}
	if n.listeners[id] == nil {
		n.listeners[id] = make(map[chan struct{}]struct{})
	}
	n.listeners[id][listener] = struct{}{}
	return listener, func() { n.forget(id, listener) }
}

func (n *News) forget(id string, listener chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.listeners[id], listener)
	if len(n.listeners[id]) == 0 {
		delete(n.listeners, id)
	}
}
