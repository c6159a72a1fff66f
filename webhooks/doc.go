// Package webhooks receives the deliveries by which JoggAI tells that work has ended: it verifies them, decodes them, hands them
// to your code once, and answers in time.
//
// # Receiving
//
// A [Verifier] knows the secrets of your endpoints. A [Router] has a function for each type of data that you care about. A
// handler puts the two behind a URL:
//
//	verifier, err := webhooks.NewVerifier(os.Getenv("JOGG_WEBHOOK_SECRET"))
//	if err != nil {
//		log.Fatal(err)
//	}
//	router := webhooks.NewRouter()
//	webhooks.On(router, func(ctx context.Context, ev webhooks.Event, video *webhooks.VideoSucceeded) error {
//		return publish(ctx, video.VideoID, video.VideoURL)
//	})
//	http.Handle("POST /jogg", webhooks.NewHandler(verifier, router))
//	log.Fatal(webhooks.NewServer(":8080", nil).ListenAndServe())
//
// Returning nil means that you have taken care of the event. After an error JoggAI sends it again, at most three times and 5
// seconds apart, as it documents. Work that takes longer than a few seconds, or that must survive a crash, belongs into an inbox:
// see package inbox, which takes the router's place here and calls it afterwards.
//
// Programs that have no use for net/http, such as functions behind an API gateway, call [Verifier.Unwrap] with the body and the headers,
// wherever they got them from.
//
// # What arrives
//
// An [Event] says what happened and when. Its Data is one of the types of the union, chosen by the event type:
//
//	generated_…video_success     *VideoSucceeded     generated_…video_failed     *VideoFailed
//	…avatar_success              *AvatarSucceeded    …avatar_failed              *AvatarFailed
//	generated_script_success     *ScriptSucceeded    generated_script_failed     *ScriptFailed
//	generated_image_success      *ImageSucceeded     generated_image_failed      *ImageFailed
//	generated_motion_success     *MotionSucceeded    generated_motion_failed     *MotionFailed
//	one that was added since     a type of its own, or one of these
//	every other                  *Unknown
//	one that does not fit        *Undecodable
//
// Use a Router, or a type switch. Fields come out the same in whichever of the seen forms they arrived: a video's id is in
// VideoID, the reason of a failure in Error. What nobody documented is in the event's Raw.
//
// A Router accepts the events that it has no function for: to send them again would change nothing. A function for [Data] gets
// all of them, also the types of event that JoggAI may yet invent.
//
// # What does not fit
//
// JoggAI's deliveries change. A field that holds something else than it should keeps its zero value and is listed in the event's Problems; the
// handler logs it. An event that lacks what it is about, such as the id of its video, has [*Undecodable] data, and so has a signed body that is no
// event at all. A Router without a function for that returns an error, so that JoggAI sends the event again and the log names it. An inbox
// keeps it as a dead letter with its whole body, to be redriven when the program knows the new form.
//
// # Answers
//
// What the sender of a delivery is told follows from what the delivery is and from what your code returned; [NewHandler] has the
// table. A 2xx status keeps JoggAI from sending the delivery again; the handler's is 200. An answer never says more than its status text. The
// reason is in the log, together with the type and the key of the event, but without its payload: give the handler your logger with
// [WithLogger].
//
// JoggAI waits 5 seconds for an answer. At 4.5 seconds the context that your code got ends, and the sender is told to try again.
// If your code finishes all the same, the next delivery finds the event accepted.
//
// # Redeliveries
//
// The same event can arrive more than once, also after it was accepted. [Event.Key] is equal for all deliveries of an event. The
// handler remembers the keys of accepted events and answers their redeliveries itself; two deliveries at the same time become one
// call. What it remembers ends with the process, so code that must not do the same thing twice stores the key along with what it
// did.
//
// # Secrets
//
// JoggAI gives each endpoint a secret, which cannot be changed. All of it is the key of the signature, with the "whsec_" in
// front. There is no verifier without a secret, and none that accepts what is not signed.
//
// To get rid of a secret, create a second endpoint for the same URL, give the verifier both secrets, delete the old endpoint, and
// when its last redeliveries must have arrived, half a minute later, give the verifier the new secret alone:
//
//	verifier, err := webhooks.NewVerifier(oldSecret, newSecret)
//
// # Testing your receiver
//
// [Sign] makes the signature of a body, so a test needs no JoggAI to send what JoggAI would:
//
//	body := `{"event":"generated_motion_failed","timestamp":1732806631,"data":{"motion_id":"motion_1","error":"too dark"}}`
//	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
//	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), "whsec_test"))
//	answer := httptest.NewRecorder()
//	handler.ServeHTTP(answer, request)
//
// To test a router alone, hand the event that [Parse] makes of a body to [Router.Receive].
//
// # What is not protected
//
// The signature covers the body and nothing else. No time of sending is signed, so a body that was signed once, together with its
// signature, stays valid for as long as its secret is used: whoever has got hold of one can send it again. While the handler
// remembers its key, your code does not notice. Afterwards it does, with the same key as before.
//
// The header that repeats the event type is not signed either. It is not used; the handler logs where it disagrees with the body.
package webhooks
