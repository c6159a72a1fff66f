package webhooks

import "github.com/jogg-go/jogg/gen"

// Data is what an event tells: a pointer to one of VideoSucceeded, VideoFailed, AvatarSucceeded, AvatarFailed, ScriptSucceeded,
// ScriptFailed, ImageSucceeded, ImageFailed, MotionSucceeded, MotionFailed and Unknown. No other type implements it.
type Data interface{ data() }

type (
	// VideoSucceeded tells where a finished video is: the data of the five success events about videos.
	VideoSucceeded gen.VideoSucceeded
	// VideoFailed tells why a video could not be made: the data of the five failure events about videos.
	VideoFailed gen.VideoFailed
	// AvatarSucceeded tells that an avatar can be used: the data of the three success events about avatars.
	AvatarSucceeded gen.AvatarSucceeded
	// AvatarFailed tells why an avatar could not be made: the data of the three failure events about avatars.
	AvatarFailed gen.AvatarFailed
	// ScriptSucceeded holds finished scripts.
	ScriptSucceeded gen.ScriptSucceeded
	// ScriptFailed tells why scripts could not be written.
	ScriptFailed gen.ScriptFailed
	// ImageSucceeded tells where finished photos are.
	ImageSucceeded gen.ImageSucceeded
	// ImageFailed tells why photos could not be made.
	ImageFailed gen.ImageFailed
	// MotionSucceeded tells where a finished motion is.
	MotionSucceeded gen.MotionSucceeded
	// MotionFailed tells why a motion could not be made.
	MotionFailed gen.MotionFailed
)

// Unknown is the data of an event type that this package does not know. The event's Raw has all of it.
type Unknown struct {
	// Data is the value of the delivery's "data", as it arrived; nil where there was none. It is a part of the event's Raw and not to
	// be changed either.
	Data []byte
}

func (*VideoSucceeded) data()  {}
func (*VideoFailed) data()     {}
func (*AvatarSucceeded) data() {}
func (*AvatarFailed) data()    {}
func (*ScriptSucceeded) data() {}
func (*ScriptFailed) data()    {}
func (*ImageSucceeded) data()  {}
func (*ImageFailed) data()     {}
func (*MotionSucceeded) data() {}
func (*MotionFailed) data()    {}
func (*Unknown) data()         {}
