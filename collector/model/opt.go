// SPDX-License-Identifier: Apache-2.0

package model

import "encoding/json"

// Opt is a value that may be unknown. Unknown is never 0: it is left out of JSON (tag omitzero) and drawn as a dash.
type Opt[T any] struct {
	V     T
	Known bool
}

// Some returns a known value.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, Known: true} }

// IsZero reports whether the value is unknown; encoding/json asks it for omitzero.
func (o Opt[T]) IsZero() bool { return !o.Known }

// Or returns the value, or other if it is unknown.
func (o Opt[T]) Or(other T) T {
	if o.Known {
		return o.V
	}
	return other
}

// MarshalJSON writes the bare value, or null if it is unknown.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.Known {
		return []byte("null"), nil
	}
	return json.Marshal(o.V)
}

// UnmarshalJSON reads a bare value; null leaves it unknown.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	o.Known = true
	return json.Unmarshal(b, &o.V)
}
