// SPDX-License-Identifier: Apache-2.0

package lens

// turns takes each turn for a message: all that can be said of a protocol that is not known.
type turns struct {
	protocol string
	open     [2]*Message
	end      [2]uint64
}

// NewTurns returns a lens that cuts by change of direction alone, under that name.
func NewTurns(protocol string) Lens { return &turns{protocol: protocol} }

// Protocol returns the name.
func (t *turns) Protocol() string { return t.protocol }

// Detail returns false: bytes are never looked at.
func (t *turns) Detail() bool { return false }

// Feed begins a message with the first byte of a turn.
func (t *turns) Feed(dir Dir, pos uint64, _ []byte, n uint64) []Boundary {
	t.end[dir] = pos + n
	if n == 0 || t.open[dir] != nil {
		return nil
	}
	t.open[dir] = &Message{Protocol: t.protocol}
	return []Boundary{{dir, Begin, pos, t.open[dir]}}
}

// Turn ends it.
func (t *turns) Turn(dir Dir, pos uint64) []Boundary {
	m := t.open[dir]
	if m == nil {
		return nil
	}
	t.open[dir] = nil
	return []Boundary{{dir, End, max(pos, t.end[dir]), m}}
}
