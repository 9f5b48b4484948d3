// SPDX-License-Identifier: Apache-2.0

package lens

import "slices"

// http1 is the lens of HTTP/1.0 and 1.1 (RFC 9112).
type http1 struct {
	side    [2]http1Side
	pending []string // methods of requests whose final response has not begun, oldest first
	detail  bool
	tunnel  bool // after CONNECT or an upgrade: no HTTP any more
}

// maxPending bounds the pipelined requests that are remembered; a connection with more is cut by guess.
const maxPending = 1024

// http1Side is one direction.
type http1Side struct {
	state http1State
	next  uint64 // position of the byte that is expected next
	left  uint64 // of a body or chunk
	msg   *Message
	line  []byte // the line of the head, or of a chunk's size, that is being read; bounded by maxLine
	long  bool   // it was longer
	head  http1Head
	seen  bool // anything came
}

// http1State is what comes next in a direction.
type http1State uint8

const (
	atStart  http1State = iota // a message's first line
	inHead                     // a header line
	inBody                     // left bytes of the body
	inChunk                    // left bytes of a chunk and its CRLF
	atSize                     // a chunk's size
	inTrail                    // trailer lines
	toClose                    // bytes until the connection ends
	skipping                   // the head or a chunk was not seen whole: bytes until the direction changes
)

// maxLine bounds the bytes of one line that are kept; of what is longer only the beginning counts.
const maxLine = 1024

// NewHTTP1 returns the lens for HTTP/1.
func NewHTTP1() Lens { return &http1{} }

// Protocol returns its name.
func (h *http1) Protocol() string { return "http1" }

// Detail reports whether a message was not seen whole, or several came in one turn.
func (h *http1) Detail() bool { return h.detail && !h.tunnel }

// Feed reads what was seen and skips what was not.
func (h *http1) Feed(dir Dir, pos uint64, seen []byte, n uint64) []Boundary {
	if uint64(len(seen)) > n {
		seen = seen[:n]
	}
	s := &h.side[dir]
	var out []Boundary
	if s.seen && pos > s.next { // bytes were missed
		out = h.skip(dir, pos-s.next, out)
	} else if s.seen && pos < s.next { // again, as after a retransmission that was counted twice
		again := min(s.next-pos, n)
		seen, n, pos = seen[min(again, uint64(len(seen))):], n-again, s.next
	}
	s.seen, s.next = true, pos
	for len(seen) > 0 && !h.tunnel {
		var used int
		used, out = h.read(dir, seen, out)
		seen, n = seen[used:], n-uint64(used)
		s.next += uint64(used)
	}
	if n > 0 {
		out = h.skip(dir, n, out)
	}
	return out
}

// read takes some of the bytes, at least one.
func (h *http1) read(dir Dir, b []byte, out []Boundary) (int, []Boundary) {
	s := &h.side[dir]
	switch s.state {
	case inBody, inChunk:
		n := min(s.left, uint64(len(b)))
		s.left -= n
		if s.left > 0 {
			return int(n), out
		}
		if s.state == inChunk {
			s.state = atSize
			return int(n), out
		}
		return int(n), h.end(dir, s.next+n, out)
	case toClose, skipping:
		return len(b), out
	}
	return h.readLine(dir, b, out)
}

// readLine collects bytes up to a line feed and handles the line.
func (h *http1) readLine(dir Dir, b []byte, out []Boundary) (int, []Boundary) {
	s := &h.side[dir]
	n := slices.Index(b, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(b)
	}
	if s.state == atStart && len(s.line) == 0 && blank(b[:n]) {
		return n, out // empty lines before a message are allowed (RFC 9112, 2.2)
	}
	if s.state == atStart && s.msg == nil {
		s.msg = &Message{Protocol: h.Protocol()}
		out = append(out, Boundary{dir, Begin, s.next, s.msg})
		h.begun(dir)
	}
	room := maxLine - len(s.line)
	s.line = append(s.line, b[:min(n, room)]...)
	s.long = s.long || n > room
	if s.state == atStart { // what is known of it is known at once
		s.msg.first(dir, s.line, whole || s.long)
	}
	if !whole {
		return n, out
	}
	line := trimEOL(s.line)
	s.line = s.line[:0]
	s.long = false
	return n, h.handleLine(dir, line, s.next+uint64(n), out)
}

// begun notes that a message begins while the direction's turn has had one already, or before its answer's turn.
func (h *http1) begun(dir Dir) {
	if dir == Request && len(h.pending) > 0 {
		h.detail = true // pipelining
	}
}

// handleLine takes one whole line; pos is the position behind it.
func (h *http1) handleLine(dir Dir, line []byte, pos uint64, out []Boundary) []Boundary {
	s := &h.side[dir]
	switch s.state {
	case atStart:
		if !s.msg.parsed(dir) {
			s.msg.Protocol = "unparsed"
			return h.lose(dir, out)
		}
		s.head = http1Head{}
		s.state = inHead
	case inHead:
		if len(line) > 0 {
			s.head.add(line)
			return out
		}
		return h.headEnds(dir, pos, out)
	case atSize:
		return h.chunk(dir, line, out)
	case inTrail:
		if len(line) == 0 {
			return h.end(dir, pos, out)
		}
	}
	return out
}

// headEnds decides what follows the head (RFC 9112, 6.3).
func (h *http1) headEnds(dir Dir, pos uint64, out []Boundary) []Boundary {
	s := &h.side[dir]
	m, head := s.msg, &s.head
	method := ""
	if dir == Request {
		h.remember(m.Method)
	} else {
		if len(h.pending) > 0 {
			method = h.pending[0]
		}
		m.Interim = m.Status >= 100 && m.Status < 200 && m.Status != 101
		if !m.Interim && len(h.pending) > 0 {
			h.pending = h.pending[1:]
		}
	}
	m.Last = head.close || m.Status == 101
	switch {
	case m.Interim, m.Status == 204, m.Status == 304, method == "HEAD":
		return h.end(dir, pos, out)
	case m.Status == 101, method == "CONNECT" && m.Status/100 == 2:
		m.Last = true
		out = h.end(dir, pos, out)
		h.tunnel = true
		return out
	case head.chunked:
		s.state = atSize
	case head.hasLength && head.length > 0:
		s.state, s.left, m.Sized = inBody, head.length, true
	case head.hasLength, dir == Request:
		return h.end(dir, pos, out)
	default:
		s.state, m.Last = toClose, true
	}
	return out
}

func (h *http1) remember(method string) {
	if len(h.pending) < maxPending {
		h.pending = append(h.pending, method)
	}
}

// chunk takes a chunk's size line (RFC 9112, 7.1).
func (h *http1) chunk(dir Dir, line []byte, out []Boundary) []Boundary {
	s := &h.side[dir]
	size, ok := chunkSize(line)
	switch {
	case !ok:
		return h.lose(dir, out)
	case size == 0:
		s.state = inTrail
	default:
		s.state, s.left = inChunk, size+2
	}
	return out
}

// end ends the direction's message.
func (h *http1) end(dir Dir, pos uint64, out []Boundary) []Boundary {
	s := &h.side[dir]
	out = append(out, Boundary{dir, End, pos, s.msg})
	s.msg, s.state, s.left, s.line, s.long = nil, atStart, 0, s.line[:0], false
	return out
}

// skip passes over bytes that were not seen.
func (h *http1) skip(dir Dir, n uint64, out []Boundary) []Boundary {
	s := &h.side[dir]
	if h.tunnel {
		s.next += n
		return out
	}
	if s.state == inBody || s.state == inChunk {
		k := min(n, s.left)
		s.left -= k
		s.next += k
		n -= k
		if s.left == 0 && s.state == inBody {
			out = h.end(dir, s.next, out)
		} else if s.left == 0 {
			s.state = atSize
		}
	}
	if n == 0 {
		return out
	}
	if s.msg == nil { // a message of which nothing was seen
		s.msg = &Message{Protocol: h.Protocol()}
		out = append(out, Boundary{dir, Begin, s.next, s.msg})
		h.begun(dir)
	}
	s.next += n
	if s.state != toClose {
		out = h.lose(dir, out)
	}
	return out
}

// lose gives up on the rest of the direction's turn.
func (h *http1) lose(dir Dir, out []Boundary) []Boundary {
	s := &h.side[dir]
	if s.state != skipping {
		if s.state == atStart && len(s.line) > len("PROPFIND") && !s.msg.parsed(dir) {
			s.msg.Protocol = "unparsed"
		}
		if s.state == atStart || s.state == inHead {
			h.unseenHead(dir)
		}
	}
	s.state, s.line, s.long = skipping, s.line[:0], false
	s.msg.Guess = true
	h.detail = true
	return out
}

// unseenHead keeps the pairing right for a message whose head is not seen whole.
func (h *http1) unseenHead(dir Dir) {
	m := h.side[dir].msg
	if dir == Request {
		h.remember(m.Method)
	} else if len(h.pending) > 0 {
		h.pending = h.pending[1:]
	}
}

// Turn ends what could not be followed, and what lasts until the connection does.
func (h *http1) Turn(dir Dir, pos uint64) []Boundary {
	s := &h.side[dir]
	if s.msg == nil || h.tunnel {
		return nil
	}
	switch {
	case s.state == skipping, s.state == toClose:
		return h.end(dir, max(pos, s.next), nil)
	case dir == Request && len(h.pending) > 0: // the head is read in parts, and the requests before it are answered meanwhile
		return nil
	case s.state == inHead, s.state == atStart: // the other side answers before the head is whole, or in a gap
		out := h.lose(dir, nil)
		return h.end(dir, max(pos, s.next), out)
	}
	return nil // a body that goes on: 100 Continue, or an early answer
}
