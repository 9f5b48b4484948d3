// SPDX-License-Identifier: Apache-2.0

// Package event defines the one schema that live collection, recordings, replay, trace lines and tests share.
//
// An Event is a fact that the kernel (or a cooperating server) stated, at a time of CLOCK_MONOTONIC. A fact that is not
// known is absent: Has says which fields are, so that 0 always means zero.
package event

import (
	"io"
	"net/netip"
)

// Roles of a socket in its connection.
const (
	RoleClient = "client" // it called connect
	RoleServer = "server" // it came out of a listener
)

// Sides of a segment or of an end: who sent the RST, who retransmitted, who closed first.
const (
	SideLocal  = "local"
	SideRemote = "remote"
)

// Phases of a mark; a thread's last event has the end.
const (
	PhaseBegin = "begin"
	PhaseEnd   = "end"
)

// Reasons of a Close, Reset or Retransmit.
const (
	ReasonRefused     = "refused"     // ECONNREFUSED: nobody listens on that port
	ReasonTimeout     = "timeout"     // ETIMEDOUT: no answer
	ReasonUnreachable = "unreachable" // ENETUNREACH, EHOSTUNREACH and their kin: no way there
	ReasonReset       = "reset"       // the peer sent a RST
	ReasonAborted     = "aborted"     // ended by its own application without a FIN: before it was established, or with a RST (unread data, SO_LINGER 0)
	ReasonFIN         = "fin"         // orderly end
	ReasonOther       = "other"       // any other errno
	ReasonSYNACK      = "synack"      // a listener's SYN-ACK was sent again
	ReasonListenerEnd = "listener_closed"
)

// ReasonElsewhere is the reason of an Accept after which nothing more is told: a process that the filter leaves out took
// the connection.
const ReasonElsewhere = "elsewhere"

// Reasons of a SYNDrop.
const (
	ReasonAcceptQueueFull = "accept_queue_full" // the accept queue holds more than the backlog
	ReasonSYNQueueFull    = "syn_queue_full"    // the SYN queue does, and no cookie was sent
	ReasonSYNBacklogLimit = "syn_backlog_limit" // without cookies: a quarter or less of tcp_max_syn_backlog is left
	ReasonUnknown         = "unknown"           // this kernel does not tell
)

// Stages of a handshake at which a SYNDrop refuses it.
const (
	StageSYN = "syn" // the first segment
	StageACK = "ack" // the last: the client believes that it is connected
)

// Event is one fact. The zero value is an event of no kind in which nothing is known.
//
// A field counts only if Has says so; TS and Kind always count.
type Event struct {
	TS   int64 // ns, CLOCK_MONOTONIC (bpf_ktime_get_ns)
	Kind Kind
	Has  Mask

	CPU  uint32 // on which the hook ran
	PID  uint32 // the socket's owner: process, in the initial pid namespace; from process context only
	TID  uint32 // the owner's thread that made the call
	Comm string // name of the owner's process (its first thread)
	// What /proc says about the owner: the collector adds it to live events, so that a recording carries it.
	NSPID     uint32 // the process inside its own pid namespace, where that differs from PID
	Container string // container id, 12 digits or more, from the cgroup path
	Unit      string // systemd unit, from the cgroup path

	Conn   uint64         // socket cookie; on kernels without the helper (before 5.12) a number of our own
	NetNS  uint32         // inode number of the network namespace
	Proto  string         // tcp
	Role   string         // client (it called connect) or server (it came out of a listener)
	Local  netip.AddrPort // ip:port, IPv6 in brackets; IPv4-mapped IPv6 addresses are unmapped
	Remote netip.AddrPort // the peer, in the same form

	Listener     netip.AddrPort // local address of the listener
	ListenerConn uint64         // its cookie
	SYNQueue     uint32         // requests in the SYN queue (icsk_accept_queue.qlen)
	AcceptQueue  uint32         // connections in the accept queue (sk_ack_backlog)
	Backlog      uint32         // effective limit of both queues (sk_max_ack_backlog); a queue is full when it holds one more
	BacklogAsked int32          // what listen() asked for, before somaxconn capped it; negative: as much as there may be
	Cookie       bool           // answered with a SYN cookie

	Stage      string // of a refusal: syn, ack
	DropReason string // of a refusal: the kernel's name for it (enum skb_drop_reason), where it has one: NETFILTER_DROP
	Side       string // local or remote: who sent the RST, who retransmitted, who closed first
	// Reason of an end: refused, timeout, unreachable, reset, aborted, fin, listener_closed, other; of a retransmit: synack;
	// of an accept by a process that the filter leaves out: elsewhere, and nothing more is told of its connection;
	// of a refusal (syn_drop): accept_queue_full, syn_queue_full, syn_backlog_limit, other, unknown.
	Reason      string
	Errno       int32  // positive errno of a failed connect or accept
	Count       uint64 // how many, where events are grouped
	HandshakeNS int64  // client: connect to established; server: SYN to established
	RTTNS       int64  // smoothed round trip time (srtt_us)
	WaitNS      int64  // from the entry into the accept queue to the return of accept
	FD          int32  // file descriptor that accept returned
	Bytes       uint64 // moved by one call
	BytesIn     uint64 // payload bytes received (tcp_sock.bytes_received, without the FIN)
	BytesOut    uint64 // payload bytes sent, each once (tcp_sock.bytes_sent less bytes_retrans)
	DurationNS  int64  // established to close
	Retransmits uint32 // segments sent again (tcp_sock.total_retrans)
	SYNYoung    uint32 // requests in the SYN queue whose SYN-ACK was not sent again (icsk_accept_queue.young)
	Overflows   uint64 // refusals because the accept queue was full, each SYN or ACK once, since the watch began
	Drops       uint64 // all refusals of the listener, each SYN or ACK once, since the watch began
	SkDrops     uint64 // the socket's own counter since listen (sk_drops): most kernels count a dropped ACK twice
	CookiesSent uint64 // SYN-ACKs with a SYN cookie, since the watch began
	CookiesOK   uint64 // connections made from a SYN cookie, since the watch began
	OpenFDs     uint32 // open descriptors of the process
	FDLimit     uint64 // its limit (RLIMIT_NOFILE, soft)
	PreExisting bool   // it was there before the tool started: its start was not seen
	Queued      bool   // one that was there before: it is in the accept queue

	Name  string // of a mark: parse, handle …
	Phase string // of a mark: begin, end; of a thread: end, when it ended
	ID    uint64 // of a mark: the server's own number of the request, or its connection's (SO_COOKIE): then it is joined with it
	Where string // of a loss: ring, map, missed, order, evicted; or sample, of turns left out on purpose

	Space  *Space       // of a netns
	Thread *ThreadTimes // of a thread
	Loop   *LoopTimes   // of an event loop: epoll_wait, loop, loop_blocked
	Turn   *Moves       // of bytes: turn, readable, read, write, offcpu, oncpu
	Result *Outcome     // of an exchange
	Uring  *Uring       // of a ring: uring_submit, uring_complete, ring
}

// Set marks the fields as known and returns e, so that a literal can be built in one expression.
func (e *Event) Set(fields ...Field) *Event {
	for _, f := range fields {
		e.Has.Add(f)
	}
	return e
}

// Known reports whether the field is known.
func (e *Event) Known(f Field) bool { return e.Has.Has(f) }

// Forget marks the field as unknown.
func (e *Event) Forget(f Field) { e.Has = e.Has.AndNot(MaskOf(f)) }

// Source yields events. Next fills e (every field is overwritten) and returns io.EOF after the last one; an event may
// come a little before an earlier one of another CPU. Next is called from one goroutine; Close may be called from any
// and makes a blocked Next return io.EOF.
type Source interface {
	Next(e *Event) error
	io.Closer
}
