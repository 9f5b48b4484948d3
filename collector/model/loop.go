// SPDX-License-Identifier: Apache-2.0

package model

// Loop is a thread that waits for whichever of many descriptors is ready first: by epoll, poll or select. Its counts and
// times are those since it is watched.
type Loop struct {
	PID     uint32            `json:"pid"`
	TID     uint32            `json:"tid"`
	Comm    string            `json:"comm"`
	EpFD    Opt[int32]        `json:"epfd,omitzero"` // of an epoll loop
	Kind    string            `json:"kind"`          // epoll, poll, select
	State   string            `json:"state"`         // StateLooping, StateClosed
	Waits   uint64            `json:"waits"`         // that returned: empty, failed, and those that Ready counts
	Ready   Distribution      `json:"ready"`         // descriptors that were ready, of the waits that found any; from 32 on the lower end of its power of two
	Empty   uint64            `json:"empty"`         // waits without a ready descriptor
	Polls   uint64            `json:"polls"`         // of them, those that were not to wait (timeout 0)
	Failed  uint64            `json:"failed"`        // waits that a signal ended
	Blocked int64             `json:"blocked_ns"`    // inside waits
	Busy    int64             `json:"busy_ns"`       // between them
	Watched int64             `json:"watched_ns"`
	Max     Opt[uint32]       `json:"max,omitzero"`     // the most that a wait may return
	FDs     Opt[uint32]       `json:"fds,omitzero"`     // descriptors that it waits for
	Sockets Opt[uint32]       `json:"sockets,omitzero"` // of them, sockets; 0: a runtime's own loop
	Modes   map[string]uint64 `json:"modes,omitempty"`  // of an epoll loop: how many are level, edge, exclusive, oneshot
	// Added, Modified and Removed are what epoll_ctl did to an epoll loop's instance since it is watched: a descriptor that is
	// closed leaves without it.
	Added    Opt[uint64] `json:"added,omitzero"`
	Modified Opt[uint64] `json:"modified,omitzero"`
	Removed  Opt[uint64] `json:"removed,omitzero"`
	// Readied are its descriptors that were ready most often, at most 64, the most often first. Known while somebody looks, where the
	// kernel lets us see it.
	Readied Opt[[]ReadyFD] `json:"readied,omitzero"`
	// Spurious are wake-ups inside waits after which the thread found nothing ready and slept again, without a return: another
	// one took what came. Known while its scheduling is watched.
	Spurious Opt[uint64] `json:"spurious,omitzero"`
	// Stalls are turns in which the thread slept for 5 ms or more in another call, Stall the longest of these sleeps. Known
	// while its scheduling is watched.
	Stalls uint64     `json:"stalls"`
	Stall  Opt[Stall] `json:"stall,omitzero"`
	Ended  Opt[int64] `json:"ended,omitzero"` // when it was seen to have ended, CLOCK_MONOTONIC

	// Exclusive says that it watches something with EPOLLEXCLUSIVE: of several instances only one is woken.
	Exclusive bool `json:"-"`

	// ReadiedAll says that all descriptors that were ready are in Readied: the others were not.
	ReadiedAll bool `json:"-"`

	Wakeups   []ReadyCount     `json:"-"` // what Ready summarises, by number
	Interest  map[int32]uint32 `json:"-"` // events that it waits for, by descriptor; bounded
	LastStall Opt[Stall]       `json:"-"`
	Recent    []Stall          `json:"-"` // the last of them, at most RecentStalls
}

// StateLooping is the state of a loop that goes on.
const StateLooping = "open"

// RecentStalls is how many sleeps of a loop are remembered one by one.
const RecentStalls = 16

// ReadyCount is how often so many descriptors were ready; from 32 on, that many to twice as many.
type ReadyCount struct {
	Ready uint32
	Count uint64
}

// ReadyFD is how often a descriptor was ready since it was added and somebody looks: how often its file said so, for something that
// it is watched for, whether the loop had taken what came before or not.
type ReadyFD struct {
	FD    int32  `json:"fd"`
	Times uint64 `json:"times"`
	Last  int64  `json:"last"` // when, CLOCK_MONOTONIC
}

// Stall is a sleep of a loop's thread between two waits.
type Stall struct {
	TS    int64  `json:"ts"`              // when the loop came back
	OffNS int64  `json:"off_ns"`          // asleep
	On    string `json:"on"`              // in which call
	Ready uint32 `json:"ready"`           // descriptors that were ready when it came back
	Times uint64 `json:"times"`           // such sleeps between the two waits, of which this is the longest
	Busy  int64  `json:"busy_ns"`         // from one wait to the other
	Stack Stack  `json:"stack,omitempty"` // where in its program the thread went to sleep
}
