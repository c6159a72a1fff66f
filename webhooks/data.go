package webhooks

// Data is what an event tells: a pointer to one of the data types of the contract, such as [VideoSucceeded], or to [Unknown] or [Undecodable].
// No other type implements it.
type Data interface{ data() }

// Unknown is the data of an event type that this package does not know. The event's Raw has all of it.
type Unknown struct {
	// Data is the value of the delivery's "data", as it arrived; nil where there was none. It is a part of the event's Raw and not to
	// be changed either.
	Data []byte
}

// Undecodable is the data of an event that this package knows and that does not fit: its data is missing or no object, or lacks what the event
// is about, such as the id of its video. Such an event was signed by JoggAI, so it stands for something that happened; a version of this
// package that knows the new form can decode its Raw.
//
// A handler also makes an event with this data, and without a type, of a body that is signed and that [Parse] refuses.
type Undecodable struct {
	// Err says what does not fit, and where.
	Err *PayloadError
	// Data is the value of the delivery's "data", as it arrived; nil where there was none. It is a part of the event's Raw and not to
	// be changed either.
	Data []byte
}

func (*Unknown) data()     {}
func (*Undecodable) data() {}
