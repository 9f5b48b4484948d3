// SPDX-License-Identifier: Apache-2.0

package event

// Space is what a network namespace as a whole says: its counters (/proc/net/netstat, /proc/net/snmp), each since the
// watch began, and the settings that bound its queues.
type Space struct {
	ListenOverflows   uint64 // SYNs and final ACKs refused because an accept queue was full
	ListenDrops       uint64 // all SYNs and final ACKs that listeners refused, each once
	ReqQFullDrop      uint64 // SYNs dropped because a SYN queue was full, without cookies
	ReqQFullDoCookies uint64 // SYNs answered with a cookie because a SYN queue was full
	SyncookiesSent    uint64 // SYN-ACKs with a SYN cookie
	SyncookiesRecv    uint64 // connections made from a SYN cookie
	SyncookiesFailed  uint64 // ACKs whose cookie was wrong or too old
	EmbryonicRsts     uint64 // requests ended by a RST before they were connections
	SomaxConn         uint64 // net.core.somaxconn: caps what listen() asks for
	MaxSYNBacklog     uint64 // net.ipv4.tcp_max_syn_backlog
	SYNCookies        uint64 // net.ipv4.tcp_syncookies: 0 never, 1 when a SYN queue is full, 2 always
	AbortOnOverflow   uint64 // net.ipv4.tcp_abort_on_overflow
}

// ThreadTimes is what a watched thread did since it is watched, as the scheduler counts it. The parts add up to WatchedNS.
// Of a turn that answers: what its thread did since it read the request. If another thread had read it, RunningNS is that
// one's, if it served nobody else, and RunqueueNS that of the one that answers, since its last sleep.
type ThreadTimes struct {
	WatchedNS   int64            // how long it is watched
	RunningNS   int64            // on a CPU
	RunqueueNS  int64            // runnable, waiting for a CPU
	BlockedNS   map[string]int64 // asleep, by what it waits in: the system call's name, or page_fault, stopped, throttled (by its cgroup's quota), io_worker, other, unknown
	Switches    uint64           // times that it left a CPU
	Migrations  uint64           // times that it came back on another CPU
	Syscalls    uint64           // system calls that it made, where they are counted
	Gaps        uint64           // times from one of its accepts to the next in which the next connection waited: all of the time, but for a twentieth
	InGapsNS    map[string]int64 // what it did in them: running, runqueue, or asleep, named as in BlockedNS
	PartGapsNS  int64            // how long connections waited for an accept in other such times, in which one waited for a part only
	CPUsAllowed string           // CPUs that it may use: its affinity within its cpuset, as 0-3,8
	CPUQuota    float64          // CPUs that the limits of its process's cgroups come to; absent without one
}

// Keys of InGapsNS for what a thread does while it is not asleep.
const (
	RunningPart  = "running"
	RunqueuePart = "runqueue"
)

// LoopTimes is what a thread found in its waits for many descriptors at once, in one wait or since it is watched.
type LoopTimes struct {
	LoopKind  string           // epoll, poll, select
	EpFD      int32            // of an epoll loop: the descriptor of its instance
	Ready     uint32           // descriptors that were ready: what a wait returned; behind a sleep: when the loop came back
	Max       uint32           // the most that a wait may return (epoll_wait's maxevents; of poll: how many it asks about)
	TimeoutMS int64            // how long a wait may last, ms; -1: for ever
	InsideNS  int64            // time inside the call, of one wait or of all
	BusyNS    int64            // from the return of a wait to the next call, blocking calls included; of one or of all
	Waits     uint64           // waits that returned
	Wakeups   map[string]int64 // of them, by how many descriptors were ready, from 1 on; from 32 on by powers of two: 32 means 32 to 63
	Most      uint32           // the most that were ready at once
	Empty     uint64           // waits that returned without a ready descriptor
	Polls     uint64           // of them, those with a timeout of 0: they were not to wait
	Spurious  uint64           // wake-ups inside waits after which it found nothing ready and slept again, without a return; as long as sleeps are watched (sched_switch)
	Failed    uint64           // waits that ended with an error: mostly a signal (EINTR)
	FDs       uint32           // descriptors that it waits for
	Sockets   uint32           // of them, sockets
	Modes     map[string]int64 // of them, how many are watched edge-triggered (edge), by one waiter only (exclusive), once (oneshot), or as long as they are ready (level)
	Interest  map[string]int64 // the events that it waits for (EPOLLIN and so on), by descriptor; the first 64
	Added     uint64           // of an epoll instance: descriptors that epoll_ctl added to it since it is watched
	Modified  uint64           // descriptors whose events it changed
	Removed   uint64           // descriptors that it removed; one that is closed leaves without that
	// Readied is how often a descriptor's file said that it is ready for something that it is watched for, by descriptor: since it
	// was added, and somebody looks. It says so with all that comes, whether the loop has taken what came before or not. Those 64
	// that were most often.
	Readied    map[string]int64
	ReadiedTS  map[string]int64 // when it last said so, CLOCK_MONOTONIC
	ReadiedFDs uint32           // how many descriptors were ready; absent if that is not known of all
}

// Kinds of event loops.
const (
	LoopEpoll  = "epoll"
	LoopPoll   = "poll"
	LoopSelect = "select"
)

// Modes in which an epoll instance watches a descriptor.
const (
	ModeLevel     = "level"
	ModeEdge      = "edge"
	ModeExclusive = "exclusive"
	ModeOneshot   = "oneshot"
)

// Moves are bytes that moved in one direction, between two changes of direction or in one call, with the moments that
// belong to them (CLOCK_MONOTONIC). A moment that was not seen is absent.
type Moves struct {
	Direction  string    // in: the application read them; out: it wrote them
	Pos        uint64    // stream position of the first of them: payload bytes in this direction before it
	Calls      uint64    // system calls that moved them
	Call       string    // name of the first one
	LatencyNS  int64     // of one call: from its entry into the kernel's TCP code to its return
	Unread     uint64    // bytes that wait for the application (rcv_nxt - copied_seq)
	ReadableTS int64     // the first of them was ready for the application (sk_data_ready)
	WakingTS   int64     // the thread that read them first was told (sched_waking)
	RunnableTS int64     // it was put on a run queue (sched_wakeup)
	OncpuTS    int64     // it got a CPU (sched_switch)
	FirstTS    int64     // the first call returned
	LastTS     int64     // the last call returned
	LastTID    uint32    // the thread of the last call
	SentTS     int64     // the last byte was sent for the first time (snd_nxt passed it)
	AckedTS    int64     // and acknowledged (snd_una passed it)
	NagleNS    int64     // so long written bytes stayed since earlier ones were not acknowledged (Nagle's algorithm)
	WindowNS   int64     // so long written bytes stayed since the receiver's window was full: it reads too slowly
	OtherTS    int64     // of a request, and of an answer by another thread than the one that read: when the thread had last read one or begun an answer
	Messages   []Message // the beginnings and ends of messages within them, as the lens found them
	OffNS      int64     // of a thread: asleep
	RanNS      int64     // on a CPU, until it went to sleep or lost it
	On         string    // in what: the system call's name, or another word for what is none
	Target     string    // which one: the socket's remote address, where it is one
	Stack      []string  // where in its program it went to sleep, or ran, the innermost function first: what its frame pointers lead to. Code without them is passed over

	// Head is the beginning of the bytes. It is for the lens alone: never written anywhere.
	Head []byte
	// Detail: one of all the calls of a connection whose turns do not tell enough. Neither is it written: Messages say it.
	Detail bool
}

// Message is the beginning or the end of a protocol's message within a turn, as its lens found it.
type Message struct {
	Pos      uint64 `json:"pos"`
	End      bool   `json:"end,omitempty"`
	Response bool   `json:"response,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"` // no query
	Status   int    `json:"status,omitempty"`
	Interim  bool   `json:"interim,omitempty"` // 100 Continue: it ends no exchange
	Sized    bool   `json:"sized,omitempty"`   // its length is known where it begins: it does not last until the connection ends
	Guess    bool   `json:"guess,omitempty"`   // its end was concluded from a change of direction
}

// Outcome is how a request was answered.
type Outcome struct {
	Protocol   string              // http1; tcp, tls?, http2?: cut by change of direction; unparsed: no HTTP where a message of it should be
	Summary    string              // METHOD PATH STATUS: no query, no headers, no body
	Phases     map[string]int64    // ns by phase; they add up to TotalNS, where that is known
	TotalNS    int64               // from the SYN (a connection's first) or the first byte of the request to the last byte first sent; unknown of a request that was never answered
	TTFBNS     int64               // to the first byte of the response written
	AckNS      int64               // from the last byte sent to its acknowledgement
	Marks      map[string]int64    // ns within marks of the server, by their names: those whose id is the connection's number (SO_COOKIE)
	Spans      []Span              // the marks one by one, in the order of their beginning; no field of the event
	Stacks     map[string][]string // where in its program the thread went to sleep, by phase: in the longest sleep, as offcpu has it; of app.running, where most samples hit it (oncpu)
	Confidence string              // of its weakest join: socket, stream position, thread, guess
	Incomplete bool                // the connection ended first, or its beginning was not seen
}

// Span is a mark of the server from its begin to its end, as far as it lies within the exchange: CLOCK_MONOTONIC.
type Span struct {
	Name     string
	From, To int64
}

// Directions of a turn.
const (
	DirIn  = "in"  // the application read the bytes
	DirOut = "out" // it wrote them
)

func (e *Event) turn() *Moves {
	if e.Turn == nil {
		e.Turn = &Moves{}
	}
	return e.Turn
}

func (e *Event) loop() *LoopTimes {
	if e.Loop == nil {
		e.Loop = &LoopTimes{}
	}
	return e.Loop
}

func (e *Event) result() *Outcome {
	if e.Result == nil {
		e.Result = &Outcome{}
	}
	return e.Result
}

func (e *Event) space() *Space {
	if e.Space == nil {
		e.Space = &Space{}
	}
	return e.Space
}

func (e *Event) thread() *ThreadTimes {
	if e.Thread == nil {
		e.Thread = &ThreadTimes{}
	}
	return e.Thread
}
