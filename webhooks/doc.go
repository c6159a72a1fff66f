// Package webhooks receives the deliveries by which JoggAI tells that work has ended: it verifies them, decodes them, hands them to your
// code once, and answers in time.
//
// # Receiving
//
// A [Verifier] knows the secrets of your endpoints. A [Router] has a function for each type of data that you care about. A handler puts the
// two behind a URL:
//
//	verifier, err := webhooks.NewVerifier(os.Getenv("JOGG_WEBHOOK_SECRET"))
//	router := webhooks.NewRouter()
//	webhooks.On(router, func(ctx context.Context, ev webhooks.Event, video *webhooks.VideoSucceeded) error {
//		return publish(ctx, video.VideoID, video.VideoURL)
//	})
//	http.Handle("POST /jogg", webhooks.NewHandler(verifier, router))
//
// Returning nil means that you have taken care of the event. After an error JoggAI sends it again, at most three times and 5 seconds
// apart, as it documents. Work that takes longer than a few seconds, or that must survive a crash, belongs into an inbox: see package
// inbox, which takes the router's place here and calls it afterwards.
//
// # What arrives
//
// An [Event] says what happened and when. Its Data is one of eleven types, chosen by the event type:
//
//	generated_…video_success     *VideoSucceeded     generated_…video_failed     *VideoFailed
//	…avatar_success              *AvatarSucceeded    …avatar_failed              *AvatarFailed
//	generated_script_success     *ScriptSucceeded    generated_script_failed     *ScriptFailed
//	generated_image_success      *ImageSucceeded     generated_image_failed      *ImageFailed
//	generated_motion_success     *MotionSucceeded    generated_motion_failed     *MotionFailed
//	every other                  *Unknown
//
// Use a Router, or a type switch. Fields come out the same in whichever of the seen forms they arrived: a video's id is in VideoID, the
// reason of a failure in Error. What nobody documented is in the event's Raw.
//
// # Redeliveries
//
// The same event can arrive more than once, also after it was accepted. [Event.Key] is equal for all deliveries of an event. The handler
// remembers the keys of accepted events and answers their redeliveries itself; two deliveries at the same time become one call. What it
// remembers ends with the process, so code that must not do the same thing twice stores the key along with what it did.
//
// # Secrets
//
// JoggAI gives each endpoint a secret. A verifier takes several, for the time in which one is exchanged, or for several endpoints behind one
// URL. There is no verifier without a secret. The signature covers the body only: no time of sending is signed, so a body that was signed
// once stays valid for as long as its secret is used.
//
// # Testing
//
// [Sign] makes the signature of a delivery, so a test can send its own. [Parse] decodes a body that needs no verifying.
package webhooks
