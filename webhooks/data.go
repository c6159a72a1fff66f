package webhooks

// Data is the data of an event: a pointer to one of the generated data types, such as [VideoSucceeded], or to [Unknown] or [Undecodable].
// No other type implements it.
type Data interface{ data() }

// Unknown is the data of an event type that this package does not know. The whole delivery is in the event's Raw.
type Unknown struct {
	// Data is the value of "data" as it arrived, or nil if it is missing or null. It aliases the event's Raw and must not be modified.
	Data []byte
}

// Undecodable is the data of an event of a known type that cannot be decoded: its data is missing or not an object, or lacks the
// identifying field, such as the ID of the video. The event was signed by JoggAI, so it reports something that happened. A later version of
// this package that knows the payload can decode its Raw.
//
// The handler also uses Undecodable, with an empty event type, for a signed body that [Parse] rejects.
type Undecodable struct {
	// Err says what cannot be decoded, and where.
	Err *PayloadError
	// Data is the value of "data" as it arrived, or nil if it is missing or null. It aliases the event's Raw and must not be modified.
	Data []byte
}

func (*Unknown) data()     {}
func (*Undecodable) data() {}
