// SPDX-License-Identifier: Apache-2.0

package event

import "fmt"

// Kind says what happened. Its String is the name in event lines and on the command line.
type Kind uint8

// The kinds. Each comment says when the event is written and what may mislead about it.
const (
	// None is the zero Kind; no source yields it.
	None Kind = iota
	// Connect: a client called connect, or (PreExisting) had called it before the tool started and has no answer yet.
	// A non-blocking connect is written at the call, not at its result.
	// The local port is chosen inside the call: where only the state change is seen, Local is absent.
	Connect
	// SYN: a SYN reached a listener and entered its SYN queue (a retransmitted SYN of the same request is not written again).
	SYN
	// Established: the kernel completed the handshake. No application code ran for a server's side of it,
	// and with TCP_DEFER_ACCEPT the first data has arrived as well.
	Established
	// Accept: the application took a connection out of the accept queue. A failed accept (EAGAIN) is not written.
	Accept
	// Retransmit: a segment, or a listener's SYN-ACK, was sent again.
	Retransmit
	// Reset: a RST was sent or received. An RST answered to a port where nobody listens has no socket and is not written.
	Reset
	// Close: the socket reached TCP_CLOSE, or a connect failed. The peer's side has its own.
	// A connection that rests in TIME_WAIT is closed for its application: the kernel has freed the socket.
	Close
	// Listen: a socket started to listen, or (PreExisting) listened before the tool started.
	Listen
	// Unlisten: a socket stopped listening.
	Unlisten
	// Queue: a sample of a listener's queues. Between two samples anything may have happened.
	Queue
	// SYNDrop: a SYN or the final ACK of a handshake was refused, or (Count) several of them. Where the kernel names no
	// listener only the network namespace is known. A client whose ACK was refused believes that it is connected.
	SYNDrop
	// AcceptError: accept failed. EAGAIN is no error and is not written; many of one kind are one event with a Count.
	AcceptError
	// AcceptEmpty: a thread's calls of accept that found nobody (EAGAIN), added up once a second. One for each accept is as it
	// should be where a program accepts until nobody is left; more of them were asked in vain.
	AcceptEmpty
	// NetNS: the counters and settings of a network namespace in which somebody listens, when they have changed.
	NetNS
	// Thread: what a watched thread did so far: running, waiting for a CPU, blocked and in what. Written once a second for
	// those that did something.
	Thread
	// Readable: new bytes are ready for the application (sk_data_ready). Written only when asked for; else it is a sample, once
	// a second, of connections where other bytes wait than before: Unread of them, and Bytes came since they were told last.
	Readable
	// Read: one call moved bytes to the application; a call that peeks moves none and is not written. Written only when
	// asked for, or for a connection whose turns do not tell enough.
	Read
	// Write: one call moved bytes from the application to the socket. They may wait there until they can be sent.
	Write
	// Turn: the bytes that moved in one direction until the other side spoke, or until all of them were acknowledged. One out that
	// goes on is written with what it has so far when its first call returned, and again, with the same Pos, when it is over.
	// Of a client whose server is watched on this host only bytes that were held are written, without Calls, unless turns
	// are asked for.
	Turn
	// Offcpu: a thread that had read a request and not answered yet slept; while somebody looks at a request of its process, any
	// thread of it did, or lost its CPU (then there is no On). The event's time is that of its return to a CPU; its connection is
	// absent when the thread had several requests to answer, or none.
	Offcpu
	// Oncpu: a sample, of a thread that had read a request and not answered yet, and that ran. Written only while somebody
	// looks at a request of its process, or when asked for.
	Oncpu
	// EpollWait: a wait of an epoll loop returned (epoll_wait, epoll_pwait, epoll_pwait2). Written only when asked for. BlockedNS is
	// the time inside the call, BusyNS that from the return of the one before to this call.
	EpollWait
	// Loop: what a thread found so far in its waits for many descriptors at once: by epoll, poll or select. Written once a
	// second for those that did something. A poll of one descriptor that is no listener is none, nor is one of a thread that
	// waits in epoll.
	Loop
	// LoopBlocked: between two waits of its event loop a thread slept for 5 ms or more in another call. Of several (Count)
	// it is the longest; BusyNS is the time between the waits, and Ready says how many descriptors had become ready when the
	// loop came back, which is the event's time.
	LoopBlocked
	// Exchange: a request was answered. It is derived from turns, from the server's socket, or from the client's if the
	// server is not watched.
	Exchange
	// UringSubmit: the kernel took an operation from a ring (io_uring). Before 6.0 one that is refused at once, for a bad
	// descriptor say, is not written. Only when asked for.
	UringSubmit
	// UringComplete: the kernel put a completion into the ring, or would have, had there been room. The application may take
	// it later. A multishot operation has many. Only when asked for.
	UringComplete
	// Ring: what the operations of a ring came to so far. Written once a second while rings are watched, for those that did
	// something.
	Ring
	// Mark: a cooperating server's note of an application moment.
	Mark
	// Lost: events were lost; Where names the place, Count how many.
	Lost
	// Watermark: every event stamped before TS has been delivered. Only between a source and the collector:
	// never printed, never recorded.
	Watermark

	kinds
)

// kindInfo is one line of the table that names and documents the kinds.
type kindInfo struct {
	name string
	doc  string
	own  []Field // its own fields, in the order in which they are printed
}

var kindTable = [kinds]kindInfo{
	None:          {name: "none"},
	Connect:       {"connect", "a client calls connect", []Field{FieldPreExisting}},
	SYN:           {"syn", "a SYN reaches a listener", []Field{FieldListener, FieldListenerConn, FieldSYNQueue, FieldAcceptQueue, FieldBacklog, FieldCount, FieldCookie}},
	Established:   {"established", "handshake complete, in the kernel", []Field{FieldHandshakeNS, FieldRTTNS, FieldListener, FieldListenerConn, FieldPreExisting, FieldQueued}},
	Accept:        {"accept", "the application took the connection out of the accept queue", []Field{FieldListener, FieldListenerConn, FieldFD, FieldWaitNS, FieldAcceptQueue, FieldBacklog, FieldReason}},
	Retransmit:    {"retransmit", "a segment was sent again", []Field{FieldSide, FieldReason, FieldListener, FieldListenerConn}},
	Reset:         {"reset", "a RST was sent or received", []Field{FieldSide, FieldReason}},
	Close:         {"close", "the socket is closed, or its connect failed; with the totals", []Field{FieldSide, FieldReason, FieldErrno, FieldBytesIn, FieldBytesOut, FieldDurationNS, FieldRTTNS, FieldRetransmits}},
	Listen:        {"listen", "a socket starts to listen", []Field{FieldListener, FieldListenerConn, FieldSYNQueue, FieldAcceptQueue, FieldBacklog, FieldBacklogAsked, FieldPreExisting}},
	Unlisten:      {"unlisten", "a socket stops listening", []Field{FieldListener, FieldListenerConn, FieldSYNQueue, FieldAcceptQueue, FieldBacklog}},
	Queue:         {"queue", "a sample of a listener's queues", []Field{FieldListener, FieldListenerConn, FieldSYNQueue, FieldSYNYoung, FieldAcceptQueue, FieldBacklog, FieldBacklogAsked, FieldOverflows, FieldDrops, FieldSkDrops, FieldCookiesSent, FieldCookiesOK}},
	SYNDrop:       {"syn_drop", "a SYN or the final ACK of a handshake was refused", []Field{FieldListener, FieldListenerConn, FieldStage, FieldReason, FieldDropReason, FieldCount, FieldSYNQueue, FieldAcceptQueue, FieldBacklog}},
	AcceptError:   {"accept_error", "accept failed", []Field{FieldListener, FieldListenerConn, FieldErrno, FieldCount, FieldOpenFDs, FieldFDLimit}},
	AcceptEmpty:   {"accept_empty", "accept found nobody", []Field{FieldListener, FieldListenerConn, FieldCount}},
	NetNS:         {"netns", "a network namespace's counters and settings", []Field{FieldListenOverflows, FieldListenDrops, FieldReqQFullDrop, FieldReqQFullDoCookies, FieldSyncookiesSent, FieldSyncookiesRecv, FieldSyncookiesFailed, FieldEmbryonicRsts, FieldSomaxConn, FieldMaxSYNBacklog, FieldSYNCookies, FieldAbortOnOverflow}},
	Thread:        {"thread", "what a thread did: running, waiting for a CPU, blocked in what", []Field{FieldWatchedNS, FieldRunningNS, FieldRunqueueNS, FieldBlockedNS, FieldSwitches, FieldMigrations, FieldSyscalls, FieldGaps, FieldInGapsNS, FieldPartGapsNS, FieldCPUsAllowed, FieldCPUQuota, FieldPhase}},
	Readable:      {"readable", "new bytes are ready for the application", []Field{FieldBytes, FieldPos, FieldUnread}},
	Read:          {"read", "a call moved bytes to the application", []Field{FieldBytes, FieldPos, FieldCall, FieldFD, FieldLatencyNS, FieldUnread, FieldReadableTS, FieldWakingTS, FieldRunnableTS, FieldOncpuTS, FieldMessages}},
	Write:         {"write", "a call moved bytes from the application", []Field{FieldBytes, FieldPos, FieldCall, FieldFD, FieldLatencyNS, FieldWakingTS, FieldRunnableTS, FieldOncpuTS, FieldSentTS, FieldMessages}},
	Turn:          {"turn", "bytes that moved in one direction until the other side spoke", []Field{FieldDirection, FieldPos, FieldBytes, FieldCalls, FieldCall, FieldFD, FieldReadableTS, FieldWakingTS, FieldRunnableTS, FieldOncpuTS, FieldFirstTS, FieldLastTS, FieldLastTID, FieldSentTS, FieldAckedTS, FieldNagleNS, FieldWindowNS, FieldRunningNS, FieldRunqueueNS, FieldOtherTS, FieldMessages}},
	Offcpu:        {"offcpu", "a thread that serves a request was not on a CPU", []Field{FieldOffNS, FieldRanNS, FieldRunqueueNS, FieldOn, FieldTarget, FieldFD, FieldStack}},
	Oncpu:         {"oncpu", "where a thread ran that serves a request: a sample", []Field{FieldStack}},
	EpollWait:     {"epoll_wait", "a wait of an epoll loop returned", []Field{FieldEpFD, FieldReady, FieldMax, FieldTimeoutMS, FieldInsideNS, FieldBusyNS, FieldErrno}},
	Loop:          {"loop", "what a thread found in its waits for many descriptors", []Field{FieldLoopKind, FieldEpFD, FieldWatchedNS, FieldWaits, FieldWakeups, FieldMost, FieldEmpty, FieldPolls, FieldSpurious, FieldFailed, FieldMax, FieldInsideNS, FieldBusyNS, FieldFDs, FieldSockets, FieldModes, FieldInterest, FieldAdded, FieldModified, FieldRemoved, FieldReadied, FieldReadiedTS, FieldReadiedFDs, FieldPhase}},
	LoopBlocked:   {"loop_blocked", "a thread of an event loop slept in another call", []Field{FieldLoopKind, FieldEpFD, FieldOffNS, FieldOn, FieldCount, FieldBusyNS, FieldReady, FieldStack}},
	Exchange:      {"exchange", "a request was answered, or its connection ended before", []Field{FieldProtocol, FieldSummary, FieldPhases, FieldStacks, FieldTotalNS, FieldTTFBNS, FieldAckNS, FieldMarks, FieldConfidence, FieldIncomplete}},
	UringSubmit:   {"uring_submit", "the kernel took an operation from a ring", []Field{FieldRing, FieldOp, FieldUserData}},
	UringComplete: {"uring_complete", "an operation of a ring is complete", []Field{FieldRing, FieldOp, FieldUserData, FieldRes, FieldLatencyNS, FieldHow}},
	Ring:          {"ring", "what the operations of a ring came to", []Field{FieldRing, FieldFD, FieldSetup, FieldSQEntries, FieldCQEntries, FieldInFlight, FieldOverflow, FieldOps, FieldSubmits, FieldReaps, FieldPhase}},
	Mark:          {"mark", "a cooperating server's note", []Field{FieldName, FieldPhase, FieldID}},
	Lost:          {"lost", "events were lost", []Field{FieldWhere, FieldCount}},
	Watermark:     {name: "watermark"},
}

// String returns the kind's name in event lines.
func (k Kind) String() string {
	if k >= kinds {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindTable[k].name
}

// Doc says in one phrase when an event of this kind is written.
func (k Kind) Doc() string { return kindTable[k].doc }

// Own returns the fields that belong to this kind, in printing order. The caller must not change the slice.
func (k Kind) Own() []Field { return kindTable[k].own }

// Lifecycle reports whether trace prints the kind when no event is named on its command line.
func (k Kind) Lifecycle() bool {
	switch k {
	case None, SYN, Queue, AcceptError, AcceptEmpty, NetNS, Thread, Readable, Read, Write, Turn, Offcpu, Oncpu, Exchange, UringSubmit, UringComplete, Ring, EpollWait, Loop, LoopBlocked, Mark, Watermark:
		return false
	}
	return k < kinds
}

// Kinds returns every kind that can stand in an event line, in the order of the documentation.
func Kinds() []Kind {
	var out []Kind
	for k := None + 1; k < kinds; k++ {
		if k != Watermark {
			out = append(out, k)
		}
	}
	return out
}

// ParseKind returns the kind of that name, and false if there is none.
func ParseKind(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.String() == name {
			return k, true
		}
	}
	return None, false
}

// Fields returns every field, in the order in which an event line prints them.
func Fields() []Field {
	out := make([]Field, fields)
	for i := range out {
		out[i] = Field(i)
	}
	return out
}
