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
type ThreadTimes struct {
	WatchedNS  int64            // how long it is watched
	RunningNS  int64            // on a CPU
	RunqueueNS int64            // runnable, waiting for a CPU
	BlockedNS  map[string]int64 // asleep, by what it waits in: the system call's name, or another word for what is none
	Switches   uint64           // times that it left a CPU
	Migrations uint64           // times that it came back on another CPU
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
