package webhooks

// ParseByJSONText is Parse without the compact reader.
func ParseByJSONText(body []byte) (Event, error) {
	d := newDecoder(body)
	defer d.release()
	return d.parse()
}

// IsCompact reports whether the compact reader reads body.
func IsCompact(body []byte) bool {
	d := newDecoder(body)
	defer d.release()
	_, ok := d.parseCompact()
	return ok
}
