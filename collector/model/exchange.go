// SPDX-License-Identifier: Apache-2.0

package model

// Exchange is a request and its response. Phases do not overlap and add up to TotalNS. Of a request that was never answered
// TotalNS is unknown, and Phases are what was seen of it.
type Exchange struct {
	TS     int64  `json:"ts"`    // its end: the last byte was first sent; never answered: the last that was seen of it
	Start  int64  `json:"start"` // its SYN, or its first byte
	Conn   uint64 `json:"conn"`
	Number uint64 `json:"number"` // of the connection's exchanges, from 1
	NetNS  uint32 `json:"netns,omitempty"`
	Local  string `json:"local,omitempty"`
	Remote string `json:"remote,omitempty"`
	Process
	TID      Opt[uint32]      `json:"tid,omitzero"` // the thread that wrote the response
	Protocol string           `json:"protocol"`
	Summary  string           `json:"summary"` // METHOD PATH STATUS
	Method   string           `json:"method,omitempty"`
	Path     string           `json:"path,omitempty"`
	Status   int              `json:"status,omitempty"`
	Route    string           `json:"route,omitempty"`  // the path with what identifies single things replaced
	Server   string           `json:"server,omitempty"` // the server's address, as routes have it
	Phases   map[string]int64 `json:"phases,omitzero"`  // ns; nil: none is known
	// Stacks are where in its program the thread went to sleep, by phase: of the longest sleep, the innermost function first.
	// Known while somebody looks at the process's requests.
	Stacks  map[string][]string `json:"stacks,omitempty"`
	TotalNS Opt[int64]          `json:"total_ns,omitzero"`
	TTFBNS  Opt[int64]          `json:"ttfb_ns,omitzero"`
	AckNS   Opt[int64]          `json:"ack_ns,omitzero"`
	Marks   map[string]int64    `json:"marks,omitempty"` // ns within the server's own marks
	// MarkSpans are the marks one by one, in the order of their beginning, as far as they lie within the exchange.
	MarkSpans  []MarkSpan  `json:"mark_spans,omitempty"`
	Confidence string      `json:"confidence"`
	Incomplete bool        `json:"incomplete"`
	Listener   Opt[uint64] `json:"listener_conn,omitzero"`
	// Moments are what Enter on a phase shows.
	Moments Moments `json:"-"`
}

// SeenNS returns how much of its time was seen: all, or, if it was never answered, its phases.
func (x *Exchange) SeenNS() int64 {
	if x.TotalNS.Known {
		return x.TotalNS.V
	}
	var n int64
	for _, ns := range x.Phases {
		n += ns
	}
	return n
}

// MarkSpan is what the server said it did from one moment of an exchange to another.
type MarkSpan struct {
	Name   string `json:"name"`
	FromNS int64  `json:"from_ns"` // since the exchange's start
	NS     int64  `json:"ns"`
}

// Route sums up the exchanges of one method and path pattern of a server.
type Route struct {
	Listener string                  `json:"listener"` // the server's address
	Protocol string                  `json:"protocol"`
	Method   string                  `json:"method,omitempty"`
	Route    string                  `json:"route,omitempty"`
	Count    uint64                  `json:"count"`
	Errors   uint64                  `json:"errors"`   // status 500 and above, and those that were cut off
	TotalNS  Distribution            `json:"total_ns"` // of those that were answered; so are the phases
	TTFBNS   Distribution            `json:"ttfb_ns"`
	Phases   map[string]Distribution `json:"phases"`
	Marks    map[string]Distribution `json:"marks,omitempty"` // ns within the server's own marks
}
