// SPDX-License-Identifier: Apache-2.0

package event

import (
	"iter"
	"math/bits"
)

// Mask is a set of fields. The zero value is empty; masks can be compared. Three words, and no array: the compiler keeps them
// in registers.
type Mask struct{ lo, mid, hi uint64 }

var _ [3*64 - int(fields)]struct{} // there is room for all fields

// MaskOf returns the set of these fields.
func MaskOf(fields ...Field) Mask {
	var m Mask
	for _, f := range fields {
		m.Add(f)
	}
	return m
}

// Add puts a field into the set.
func (m *Mask) Add(f Field) {
	switch {
	case f < 64:
		m.lo |= 1 << f
	case f < 128:
		m.mid |= 1 << (f - 64)
	default:
		m.hi |= 1 << (f - 128)
	}
}

// Has reports whether the field is in the set.
func (m Mask) Has(f Field) bool {
	switch {
	case f < 64:
		return m.lo&(1<<f) != 0
	case f < 128:
		return m.mid&(1<<(f-64)) != 0
	}
	return m.hi&(1<<(f-128)) != 0
}

// And returns the fields that are in both sets.
func (m Mask) And(o Mask) Mask { return Mask{m.lo & o.lo, m.mid & o.mid, m.hi & o.hi} }

// AndNot returns the fields of m that are not in o.
func (m Mask) AndNot(o Mask) Mask { return Mask{m.lo &^ o.lo, m.mid &^ o.mid, m.hi &^ o.hi} }

// Or returns the fields that are in either set.
func (m Mask) Or(o Mask) Mask { return Mask{m.lo | o.lo, m.mid | o.mid, m.hi | o.hi} }

// Equal reports whether both sets have the same fields.
func (m Mask) Equal(o Mask) bool { return m == o }

// All yields the fields of the set in their order.
func (m Mask) All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for i, word := range [3]uint64{m.lo, m.mid, m.hi} {
			for ; word != 0; word &= word - 1 {
				if !yield(Field(64*i + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}
