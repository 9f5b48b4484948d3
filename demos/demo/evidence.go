// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"encoding/json"
	"fmt"
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
