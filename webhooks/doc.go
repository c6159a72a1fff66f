// Package webhooks receives JoggAI's webhook deliveries. It verifies the signature of a delivery, decodes the payload, passes the event to
// your code, and responds within JoggAI's time limit. Redeliveries of an event that your code accepted are acknowledged without calling it
// again.
//
// # Receiving
//
// A [Verifier] holds the secrets of your endpoints. A [Router] holds a function for each type of data that you care about. [NewHandler]
// combines the two into an http.Handler:
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
// Returning nil acknowledges the event. After an error JoggAI redelivers it, according to its documentation at most three times and 5
// seconds apart. Work that takes longer than a few seconds, or that must survive a crash, belongs in an inbox: package inbox takes the
// router's place in the handler, and calls the router afterwards.
//
// Programs that do not use net/http, such as functions behind an API gateway, pass the body and the headers to [Verifier.Unwrap].
//
// # Events
//
// An [Event] says what happened and when. The event type selects the type of its Data:
//
//	generated_…video_success     *VideoSucceeded     generated_…video_failed     *VideoFailed
//	…avatar_success              *AvatarSucceeded    …avatar_failed              *AvatarFailed
//	generated_script_success     *ScriptSucceeded    generated_script_failed     *ScriptFailed
//	generated_image_success      *ImageSucceeded     generated_image_failed      *ImageFailed
//	generated_motion_success     *MotionSucceeded    generated_motion_failed     *MotionFailed
//	types documented later       a type of their own, or one of these
//	any other type               *Unknown
//	data that cannot be decoded  *Undecodable
//
// Use a Router or a type switch. The fields do not depend on which of the known payload variants arrived: the ID of a video is always in
// VideoID, and the reason of a failure in Error. Undocumented fields are in the event's Raw.
//
// A Router accepts decodable events that it has no function for, because a redelivery would change nothing. A function for [Data] gets all
// of them, including event types that JoggAI adds later.
//
// # Unexpected payloads
//
// JoggAI's payloads change. A field with an unexpected value keeps its zero value and is listed in the event's Problems; the handler logs
// it. An event without its identifying field, such as the ID of its video, has [*Undecodable] data. So has a signed body that is not an
// event at all. A Router without a function for *Undecodable returns an error, so that JoggAI redelivers the event and the log names it. An
// inbox stores it as a dead letter with the whole body, to be redriven once the program can decode the new payload.
//
// # Responses
//
// The status code of the response depends on the delivery and on what your code returned; see the table at [NewHandler]. A 2xx status
// acknowledges the delivery; the handler sends 200. The body of a response never contains more than the status text. The reason is logged,
// with the type and the key of the event but without its payload. Pass your logger with [WithLogger].
//
// JoggAI waits 5 seconds for a response. After 4.5 seconds the context of your code ends, and the response tells JoggAI to retry. If your
// code still succeeds afterwards, the next redelivery is acknowledged without calling it again.
//
// # Redeliveries
//
// Deliveries are at-least-once: an event can arrive again, even after it was accepted. [Event.Key] is the same for all deliveries of an
// event. The handler keeps the keys of accepted events in a deduplication window and acknowledges their redeliveries itself. Concurrent
// deliveries of an event become one call. The window is lost when the process exits, so code that must not do something twice for one event
// must store the key along with the result.
//
// # Secrets
//
// JoggAI assigns a secret to each endpoint, which cannot be changed. The whole secret, including its "whsec_" prefix, is the key of the
// signature. [NewVerifier] requires a secret, and no verifier accepts an unsigned delivery.
//
// To rotate a secret, create a second endpoint for the same URL and accept both secrets:
//
//	verifier, err := webhooks.NewVerifier(oldSecret, newSecret)
//
// Then delete the old endpoint. Half a minute later, when its last redeliveries must have arrived, accept the new secret only.
//
// # Testing your receiver
//
// [Sign] computes the signature of a body, so a test can send the deliveries that JoggAI would send:
//
//	body := `{"event":"generated_motion_failed","timestamp":1732806631,"data":{"motion_id":"motion_1","error":"too dark"}}`
//	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
//	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), "whsec_test"))
//	recorder := httptest.NewRecorder()
//	handler.ServeHTTP(recorder, request)
//
// To test a router alone, pass the event that [Parse] returns to [Router.Receive].
//
// # Limits of the signature
//
// The signature covers the body and nothing else. No timestamp of the delivery is signed, so a body and its signature stay valid for as
// long as the secret is in use: whoever obtains both can replay the delivery. While its key is in the deduplication window, your code is
// not called. Afterwards your code is called, with the same key as before.
//
// The X-Webhook-Event header repeats the event type and is not signed either. It is not used; the handler logs a mismatch with the body.
package webhooks
