// SPDX-License-Identifier: Apache-2.0

// Package lens finds the messages in a byte stream: where each begins and ends, and in a few words what it is.
//
// A lens sees little: the first bytes of each turn (a turn ends when the direction changes), or of each call where it
// asks for detail. What it did not see it knows only by length. It is pure: no clock, no input but its arguments; any
// bytes are survived, and its memory is bounded. Summaries hold no header value, no query and no body.
package lens

// Dir is the direction of bytes, as the client and the server see it, whichever socket was watched.
type Dir uint8

// The directions.
const (
	Request  Dir = iota // from the client to the server
	Response            // from the server to the client
)

// Other returns the opposite direction.
func (d Dir) Other() Dir { return 1 - d }

// What a boundary is.
const (
	Begin = iota // a message begins at Pos
	End          // it ends before Pos
)

// Boundary is the beginning or the end of a message.
type Boundary struct {
	Dir  Dir
	What int    // Begin, End
	Pos  uint64 // stream position in the direction: bytes since the connection began
	Msg  *Message
}

// Message is one message of a protocol. It is filled in as its bytes come; the lens keeps no message that has ended.
type Message struct {
	Protocol string // http1, tcp, tls?, http2?; unparsed: not HTTP where a message of it should be
	Method   string // of a request; "": unknown
	Path     string // of a request: without query, cut at 200 bytes
	Status   int    // of a response; 0: unknown
	// Interim: a response that announces another one (100 Continue): it ends no exchange.
	Interim bool
	// Last: no message of this protocol follows in this direction (Connection: close, an upgrade).
	Last bool
	// Sized: where it ends its length says (Content-Length), once its head was seen.
	Sized bool
	// Guess: where it ends was concluded from a change of direction, since its header or its chunks were not seen whole.
	Guess bool
}

// Lens cuts the two directions of one connection into messages.
type Lens interface {
	// Protocol is its name, as events have it.
	Protocol() string
	// Feed takes n bytes of a direction at stream position pos; seen are the first of them, all, or none. Bytes come in
	// order of their positions within a direction; a gap means that bytes were missed.
	Feed(dir Dir, pos uint64, seen []byte, n uint64) []Boundary
	// Turn says that bytes go the other way now: what this direction sends next answers what was sent meanwhile.
	Turn(dir Dir, pos uint64) []Boundary
	// Detail reports whether the first bytes of turns do not suffice: it wants the beginning of each call.
	Detail() bool
}

// Detect returns the lens for a connection whose first message, in direction dir, begins with these bytes.
func Detect(dir Dir, seen []byte) Lens {
	switch {
	case dir == Request && http1Request(seen), dir == Response && http1Response(seen):
		return NewHTTP1()
	case isTLS(seen):
		return NewTurns("tls?")
	case dir == Request && isHTTP2(seen):
		return NewTurns("http2?")
	}
	return NewTurns("tcp")
}

// isTLS reports whether the bytes begin as a TLS handshake record does (RFC 8446, 5.1).
func isTLS(b []byte) bool { return len(b) >= 3 && b[0] == 22 && b[1] == 3 && b[2] <= 4 }

// http2Preface is what an HTTP/2 client says first (RFC 9113, 3.4).
const http2Preface = "PRI * HTTP/2.0\r\n"

func isHTTP2(b []byte) bool {
	n := min(len(b), len(http2Preface))
	return n >= 4 && string(b[:n]) == http2Preface[:n]
}
