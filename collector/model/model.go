// SPDX-License-Identifier: Apache-2.0

// Package model holds the plain values that the collector makes out of events and that every view reads.
//
// A Snapshot is immutable once it is published: views share it without locks. All times are ns; moments are of
// CLOCK_MONOTONIC. A value that is not known is an Opt without a value, never 0.
package model

// Schema is the number of the snapshot's and the recordings' schema. Within a number fields are added, never changed.
const Schema = 1

// Fidelity says how much a fact can be trusted.
type Fidelity string

// The fidelities, best first.
const (
	Exact   Fidelity = "exact"   // read in the kernel at the moment when it happened
	Derived Fidelity = "derived" // computed from exact facts, with a known small error
	Sampled Fidelity = "sampled" // read from time to time: what happens in between is not seen
	Unknown Fidelity = "unknown" // this kernel does not tell
)

// States of a connection or listener.
const (
	StateConnecting  = "connecting"   // the client's SYN is out
	StateAcceptQueue = "accept_queue" // the handshake is complete, the application has not accepted yet
	StateEstablished = "established"  // in the hands of its application
	StateListening   = "listening"    // a listener
	StateClosed      = "closed"       // ended; kept with its last numbers within the memory budget
)

// Snapshot is everything that is known at one moment.
type Snapshot struct {
	Schema int                    `json:"schema"`
	TS     int64                  `json:"ts"` // CLOCK_MONOTONIC
	Host   string                 `json:"host,omitempty"`
	Kernel string                 `json:"kernel,omitempty"`
	Arch   string                 `json:"arch,omitempty"`
	Tier   string                 `json:"tier,omitempty"` // lowest among the required probes in use: full, kprobe, tracepoint, none
	Probes map[string]ProbeStatus `json:"probes"`
	Lost   map[string]uint64      `json:"lost"` // by place; empty when nothing was lost
	// Sampling is 1 in how many connections exchanges are told of now; absent when of all. Lost["sample"] counts the turns
	// of the others since the start.
	Sampling uint32 `json:"sampling,omitempty"`

	Listeners   []Listener   `json:"listeners"`
	Connections []Connection `json:"connections"` // open ones first, then the closed ones, the last ended first
	Exchanges   []Exchange   `json:"exchanges"`   // the last ones first
	Routes      []Route      `json:"routes"`
	Loops       []Loop       `json:"loops"` // by process, thread and descriptor
	Rings       []Ring       `json:"rings"`
	Workers     []Worker     `json:"workers"`
	Findings    []Finding    `json:"findings"`
	Namespaces  []Namespace  `json:"namespaces"` // network namespaces in which somebody listens
	Evicted     Evicted      `json:"evicted,omitzero"`

	WallOffset   int64       `json:"-"` // add to a CLOCK_MONOTONIC time to get unix ns
	Start        int64       `json:"-"` // when collection began, CLOCK_MONOTONIC
	EventsPerSec float64     `json:"-"` // over the last second of event time
	EventsTotal  uint64      `json:"-"`
	ConnsPerSec  float64     `json:"-"` // connections opened (server sides, and clients without a watched server)
	OpenConns    int         `json:"-"`
	Filters      []string    `json:"-"` // as the user gave them: --port 8080
	Cost         Opt[Cost]   `json:"-"`
	Sets         []string    `json:"-"` // probe sets that are on
	Marks        []Mark      `json:"-"` // the newest last, bounded
	Events       []EventLine `json:"-"` // the newest last, bounded
	Total        Totals      `json:"-"`
	Requests     Requests    `json:"-"`
}

// Requests sums up all exchanges since the start.
type Requests struct {
	Count, Errors uint64  // errors: status 500 and above, and those that were cut off
	PerSec        float64 // over the last seconds
	TotalNS       Distribution
}

// Cost is what watching costs: an estimate, shown with ≈.
type Cost struct {
	HooksCPU float64 // share of one CPU spent in BPF programs: hits × the price calibrated at start
	SelfCPU  float64 // share of one CPU that this process used
}

// Totals count what happened since the start; they stay exact when connections are evicted.
type Totals struct {
	Connects, Established, Accepts, Closes, Failed, Resets, Retransmits uint64
}

// Evicted counts, by list, what had ended and left the memory budget: normal. That an open one had to go is a loss and
// stands in Snapshot.Lost["evicted"].
type Evicted struct {
	Connections uint64 `json:"connections,omitempty"`
	Listeners   uint64 `json:"listeners,omitempty"`
	Rings       uint64 `json:"rings,omitempty"`
	Namespaces  uint64 `json:"namespaces,omitempty"`
}

// ProbeStatus is how one probe is served on this kernel.
type ProbeStatus struct {
	Hook     string   `json:"hook,omitempty"` // mechanism and place; absent when no hook worked
	Fidelity Fidelity `json:"fidelity"`
}

// Process is who owns a socket, as far as it is known.
type Process struct {
	PID  Opt[uint32] `json:"pid,omitzero"` // in the initial pid namespace
	Comm string      `json:"comm,omitempty"`
	// NSPID is the pid inside the process's own pid namespace, where it differs.
	NSPID Opt[uint32] `json:"ns_pid,omitzero"`
	// Container is the id of its container (12 digits or more), Unit its systemd unit; both from the cgroup path.
	Container string `json:"container,omitempty"`
	Unit      string `json:"unit,omitempty"`
}

// Demand is what the threads of a process wanted of the CPUs, all together, since they are watched.
type Demand struct {
	RunnableNS  int64   // they ran, or waited for a CPU
	ThrottledNS int64   // they would have run, but their cgroup's CPU quota was used up
	WatchedNS   int64   // since when the one that is watched longest is
	CPUs        int     // that at least one of its threads may use (affinity, cpuset); 0: not known
	Quota       float64 // CPUs that the limits of its cgroups come to; 0: none is known
}

// Listener is one listening socket.
type Listener struct {
	Conn  uint64 `json:"conn"` // socket cookie
	Local string `json:"local"`
	NetNS uint32 `json:"netns"`
	Process
	State        string            `json:"state"` // StateListening, StateClosed
	Backlog      Opt[uint32]       `json:"backlog,omitzero"`
	BacklogAsked Opt[int32]        `json:"backlog_asked,omitzero"` // negative: as much as somaxconn allows (__sys_listen compares unsigned)
	SYNQueue     Opt[uint32]       `json:"syn_queue,omitzero"`
	SYNYoung     Opt[uint32]       `json:"syn_young,omitzero"` // of them, those whose SYN-ACK was not sent again
	AcceptQueue  Opt[uint32]       `json:"accept_queue,omitzero"`
	Established  uint64            `json:"established"`
	Accepted     uint64            `json:"accepted"`
	WaitNS       Distribution      `json:"wait_ns"`
	HandshakeNS  Distribution      `json:"handshake_ns"`
	SYNDrops     map[string]uint64 `json:"syn_drops,omitzero"`     // refused SYNs and final ACKs, by reason; absent where they are unknown
	ACKDrops     map[string]uint64 `json:"ack_drops,omitzero"`     // of them, final ACKs: those clients believe that they are connected
	DropReasons  map[string]uint64 `json:"drop_reasons,omitempty"` // of syn_drops, those for which the kernel has a name (enum skb_drop_reason), by it
	Overflows    Opt[uint64]       `json:"overflows,omitzero"`
	Drops        Opt[uint64]       `json:"drops,omitzero"`        // all refusals, each once
	SkDrops      Opt[uint64]       `json:"sk_drops,omitzero"`     // the socket's own counter, which counts a dropped ACK twice
	CookiesSent  Opt[uint64]       `json:"cookies_sent,omitzero"` // SYN cookies
	CookiesOK    Opt[uint64]       `json:"cookies_ok,omitzero"`   // connections made from one
	SYNACKAgain  uint64            `json:"synack_retransmits"`
	ResetWaiting uint64            `json:"reset_waiting"` // connections that the kernel reset because the listener closed while they waited
	Acceptors    []Acceptor        `json:"acceptors"`
	// OtherAcceptors are those that are not among Acceptors because they are too many.
	OtherAcceptors OtherAcceptors `json:"other_acceptors,omitzero"`

	Fidelity    map[string]Fidelity `json:"fidelity"`
	PreExisting bool                `json:"pre_existing,omitempty"`
	Opened      int64               `json:"opened"` // when listen() was seen, or the collection began

	ArrivalsPerSec float64       `json:"-"`
	AcceptsPerSec  float64       `json:"-"`
	Work           *Work         `json:"-"` // nil: no bytes of its connections were seen
	Threads        Opt[Demand]   `json:"-"` // of its process, all together
	Waiting        []Waiting     `json:"-"` // in the accept queue now, oldest first, bounded
	History        []QueueSample `json:"-"` // one a second, the last minute, oldest first
}

// Waiting is a connection in the accept queue.
type Waiting struct {
	Conn   uint64
	Remote string
	Since  int64 // entered the queue, CLOCK_MONOTONIC
	// PreExisting: it waited when the watch began, which is what Since says. It is older by an unknown time.
	PreExisting bool
}

// QueueSample is the depth of both queues at a time; the deepest of its second.
type QueueSample struct {
	TS                    int64
	SYNQueue, AcceptQueue Opt[uint32]
}

// Acceptor is a thread that called accept on a listener.
type Acceptor struct {
	PID     uint32            `json:"pid"`
	TID     uint32            `json:"tid"`
	Comm    string            `json:"comm,omitempty"`
	Accepts uint64            `json:"accepts"`
	Errors  map[string]uint64 `json:"errors,omitzero"` // failed calls, by errno's name; EAGAIN is no error
	// Empty are calls that found nobody (EAGAIN); absent if there were none, or they cannot be seen.
	Empty uint64 `json:"empty,omitempty"`
	// Between is what the thread did since it is watched, its waits in accept included. Known while its scheduling is watched.
	Between Opt[Times] `json:"between,omitzero"`
	// Pace is how it accepts while connections wait, and what it does between two accepts then.
	Pace Pace `json:"pace,omitzero"`
	// OpenFDs and FDLimit are the process's, when an accept failed for want of a descriptor.
	OpenFDs Opt[uint32] `json:"open_fds,omitzero"`
	FDLimit Opt[uint64] `json:"fd_limit,omitzero"`
}

// OtherAcceptors is what threads that called accept on a listener, and are not listed, did together.
type OtherAcceptors struct {
	Threads uint64            `json:"threads"`
	Accepts uint64            `json:"accepts"`
	Errors  map[string]uint64 `json:"errors,omitzero"`
	Empty   uint64            `json:"empty,omitempty"`
}

// AcceptorCount is how many threads called accept on it.
func (l *Listener) AcceptorCount() int { return len(l.Acceptors) + int(l.OtherAcceptors.Threads) }

// Connection is one socket of a TCP connection; over loopback there are two.
type Connection struct {
	Conn   uint64 `json:"conn"`
	Role   string `json:"role,omitempty"`
	State  string `json:"state"`
	Local  string `json:"local,omitempty"`
	Remote string `json:"remote,omitempty"`
	NetNS  uint32 `json:"netns,omitempty"`
	Process
	TID         Opt[uint32] `json:"tid,omitzero"`
	Opened      int64       `json:"opened"`
	Closed      Opt[int64]  `json:"closed,omitzero"`
	HandshakeNS Opt[int64]  `json:"handshake_ns,omitzero"`
	WaitNS      Opt[int64]  `json:"wait_ns,omitzero"`
	RTTNS       Opt[int64]  `json:"rtt_ns,omitzero"`
	DurationNS  Opt[int64]  `json:"duration_ns,omitzero"`
	BytesIn     Opt[uint64] `json:"bytes_in,omitzero"`
	BytesOut    Opt[uint64] `json:"bytes_out,omitzero"`
	Unread      Opt[uint64] `json:"unread,omitzero"`
	Retransmits Opt[uint32] `json:"retransmits,omitzero"`
	Exchanges   Opt[uint64] `json:"exchanges,omitzero"`
	ReadCalls   Opt[uint64] `json:"read_calls,omitzero"`  // system calls that moved bytes to the application
	WriteCalls  Opt[uint64] `json:"write_calls,omitzero"` // … from it
	NagleNS     Opt[int64]  `json:"nagle_ns,omitzero"`    // so long written bytes stayed until earlier ones were acknowledged
	WindowNS    Opt[int64]  `json:"window_ns,omitzero"`   // … since the receiver's window was full
	// Resyncing: bytes were missed; nothing is paired until a request begins after an answer.
	Resyncing   bool        `json:"resyncing,omitempty"`
	FD          Opt[int32]  `json:"fd,omitzero"`
	Listener    Opt[uint64] `json:"listener_conn,omitzero"`
	Reason      string      `json:"reason,omitempty"` // why it ended
	Errno       Opt[int32]  `json:"errno,omitzero"`
	PreExisting bool        `json:"pre_existing"`
	// Peer is the cookie of the other socket of the same connection, where both are on this host.
	Peer Opt[uint64] `json:"peer,omitzero"`
	// Story is what happened to it, oldest first, bounded: what Enter opens.
	Story []EventLine `json:"-"`
}

// EventLine is an event as a person reads it.
type EventLine struct {
	TS        int64
	Kind      string
	Conn      uint64
	PID       uint32 // 0: unknown
	NetNS     uint32 // inode number of the network namespace, 0: unknown
	Comm      string
	Container string
	Unit      string // systemd unit
	Role      string // of the connection's side that it is about
	Text      string // the rest, in words: addresses, times, reasons
}

// Mark is an application moment that a cooperating server noted.
type Mark struct {
	TS   int64
	PID  uint32
	TID  uint32
	Name string
	End  bool
	ID   uint64
}
