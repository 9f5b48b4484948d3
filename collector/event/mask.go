// SPDX-License-Identifier: Apache-2.0

package event

import (
	"iter"
	"math/bits"
)

// Mask is a set of fields. The zero value is empty; masks can be compared.
type Mask struct{ lo, hi uint64 }

const _ = 128 - fields // more do not fit: the compiler says that this overflows

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
	if f < 64 {
		m.lo |= 1 << f
	} else {
		m.hi |= 1 << (f - 64)
	}
}

// Has reports whether the field is in the set.
func (m Mask) Has(f Field) bool {
	if f < 64 {
		return m.lo&(1<<f) != 0
	}
	return m.hi&(1<<(f-64)) != 0
}

// And returns the fields that are in both sets.
func (m Mask) And(o Mask) Mask { return Mask{m.lo & o.lo, m.hi & o.hi} }

// AndNot returns the fields of m that are not in o.
func (m Mask) AndNot(o Mask) Mask { return Mask{m.lo &^ o.lo, m.hi &^ o.hi} }

// Or returns the fields that are in either set.
func (m Mask) Or(o Mask) Mask { return Mask{m.lo | o.lo, m.hi | o.hi} }

// Equal reports whether both sets have the same fields.
func (m Mask) Equal(o Mask) bool { return m == o }

// All yields the fields of the set in their order.
func (m Mask) All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for lo := m.lo; lo != 0; lo &= lo - 1 {
			if !yield(Field(bits.TrailingZeros64(lo))) {
				return
			}
		}
		for hi := m.hi; hi != 0; hi &= hi - 1 {
			if !yield(Field(64 + bits.TrailingZeros64(hi))) {
				return
			}
		}
	}
}
