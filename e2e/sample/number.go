package sample

import (
	"math"

	"github.com/getkin/kin-openapi/openapi3"
)

// usual is the largest generated number if the schema has no bound.
const usual = 9999

func (m Maker) integer(s spot, all demands) (any, error) {
	number, err := m.multiple(s, all, 1)
	return int64(number), err
}

// number makes a number with a fraction, if the schema allows one.
func (m Maker) number(s spot, all demands) (any, error) {
	step := 0.25 // exact in both binary and decimal
	if low, high := all.bounds(); high-low < 1 {
		step = (high - low) / 8
	}
	return m.multiple(s, all, step)
}

// multiple makes a multiple of step, or of the schema's multipleOf.
func (m Maker) multiple(s spot, all demands, step float64) (float64, error) {
	for _, schema := range all {
		if schema.MultipleOf != nil && math.Mod(step, *schema.MultipleOf) != 0 {
			step = *schema.MultipleOf
		}
	}
	low, high := all.bounds()
	if low == high {
		return low, nil
	}
	least, most := math.Ceil(low/step), math.Floor(high/step)
	switch {
	case math.IsInf(low, 0) && math.IsInf(high, 0):
		least, most = 1, usual
		if m.AnyForm {
			least = -usual
		}
	case math.IsInf(low, 0):
		least = min(1, most-usual)
	case math.IsInf(high, 0):
		most = max(1, least) + usual
	}
	if least > most {
		return 0, s.fault("no number is at least %v, at most %v and a multiple of %v", low, high, step)
	}
	if least <= 0 && most >= 1 && !m.AnyForm {
		least = 1
	}
	times := least + math.Floor(m.chance(s).Float64()*(most-least+1))
	return min(times, most) * step, nil
}

// bounds returns the minimum and the maximum that all schemas allow.
func (all demands) bounds() (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	for _, schema := range all {
		low, high = max(low, lowerBound(schema)), min(high, upperBound(schema))
	}
	return low, high
}

func lowerBound(schema *openapi3.Schema) float64 {
	low := math.Inf(-1)
	if schema.Min != nil {
		low = *schema.Min
	}
	if exclusive := schema.ExclusiveMin.Value; exclusive != nil {
		low = max(low, math.Nextafter(*exclusive, math.Inf(1)))
	}
	return low
}

func upperBound(schema *openapi3.Schema) float64 {
	high := math.Inf(1)
	if schema.Max != nil {
		high = *schema.Max
	}
	if exclusive := schema.ExclusiveMax.Value; exclusive != nil {
		high = min(high, math.Nextafter(*exclusive, math.Inf(-1)))
	}
	return high
}
