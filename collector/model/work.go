// SPDX-License-Identifier: Apache-2.0

package model

// Work is what a server's connections did since the start, summed up. It is never changed once it is shown.
type Work struct {
	Exchanges uint64           // that were answered
	TotalNS   int64            // of all exchanges together
	Phases    map[string]int64 // of them, ns by phase
	Slept     map[string]Slept // where requests were blocked, by phase, as far as it was looked for
	// Read, App and Write are the server's share of each exchange: reading the request; from its last byte read to the first
	// one written; from there to the last byte sent.
	Read, App, Write Distribution

	In, Out        Traffic // what the server read and wrote
	Server, Client Held    // what kept its bytes from being sent, and those of its clients
	Retransmits    uint64  // segments that it sent again
	Clients        []Client
}

// Slept is where in its program a thread last slept for the longest part of a request.
type Slept struct {
	TS    int64 // when that request was over
	Stack Stack
}

// Traffic counts what moved in one direction, and in how many calls.
type Traffic struct {
	Turns uint64 // changes of direction
	Calls uint64 // system calls that moved bytes
	Bytes uint64
}

// Held is how long written bytes stayed although the connection was open, and why.
type Held struct {
	NagleNS  int64  // until what was sent before was acknowledged
	Nagled   uint64 // turns in which that happened
	WindowNS int64  // the receiver's window was full
	Window   uint64 // turns in which it was
	// Last is the connection (of the side that wrote) of which it was last told.
	Last                 uint64
	LastFrom, LastTo     string // who wrote, who should read
	LastFromPID, LastPID Opt[uint32]
	LastComm             string // of who should read, where that is on this host
}

// Client is one address from which HTTP requests came. Connections that were closed without a request do not count.
type Client struct {
	Addr   string
	Closed uint64 // connections
	Single uint64 // of them, those with exactly one request
	ByUs   uint64 // of these, those that the server closed first
}
