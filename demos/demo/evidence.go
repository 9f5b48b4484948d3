// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Evidence are the numbers that decide a claim, in the order in which a person wants to read them.
type Evidence []Number

// Number is one of them. The name ends in the unit (_ns), counts have none.
type Number struct {
	Name  string
	Value int64
}

// With returns e with one more number.
func (e Evidence) With(name string, value int64) Evidence {
	return append(e[:len(e):len(e)], Number{Name: name, Value: value})
}

// MarshalJSON writes one object, in order.
func (e Evidence) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, n := range e {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(n.Name)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(append(b, name...), ":%d", n.Value)
	}
	return append(b, '}'), nil
}

// String returns the numbers as a person reads them: "requests 50 · handshake p50 83 µs".
func (e Evidence) String() string {
	words := make([]string, len(e))
	for i, n := range e {
		words[i] = n.String()
	}
	return strings.Join(words, " · ")
}

// String returns the number with its name and unit in words.
func (n Number) String() string {
	if name, ok := strings.CutSuffix(n.Name, "_ns"); ok {
		return strings.ReplaceAll(name, "_", " ") + " " + Span(n.Value)
	}
	return fmt.Sprintf("%s %d", strings.ReplaceAll(n.Name, "_", " "), n.Value)
}

// Span writes ns with three digits and a unit: 83 µs, 1.25 ms, 301 ms.
func Span(ns int64) string {
	d, sign := time.Duration(ns), ""
	if d < 0 {
		d, sign = -d, "-"
	}
	unit, name := time.Nanosecond, "ns"
	switch {
	case d >= time.Second:
		unit, name = time.Second, "s"
	case d >= time.Millisecond:
		unit, name = time.Millisecond, "ms"
	case d >= time.Microsecond:
		unit, name = time.Microsecond, "µs"
	}
	v, digits := float64(d)/float64(unit), 0
	switch {
	case unit == time.Nanosecond || v >= 100:
	case v >= 10:
		digits = 1
	default:
		digits = 2
	}
	return fmt.Sprintf("%s%.*f %s", sign, digits, v, name)
}
