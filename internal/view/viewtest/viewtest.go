// SPDX-License-Identifier: Apache-2.0

// Package viewtest makes the snapshots that the tests of the views share.
package viewtest

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Now is the time of the snapshots, CLOCK_MONOTONIC ns; Wall turns it into 2026-11-24 22:41:07 UTC.
const (
	Now   = 3_600_000_000_000
	Wall  = 1_795_560_067_000_000_000 - Now
	Start = Now - 90_000_000_000
)

const (
	us  = 1_000
	ms  = 1_000_000
	sec = 1_000_000_000
)

// Empty returns a snapshot in which nothing has happened yet.
func Empty() *model.Snapshot {
	return &model.Snapshot{Schema: model.Schema, TS: Now, Host: "web-1", Kernel: "6.12.117-amd64", Arch: "amd64", Tier: "full", WallOffset: Wall, Start: Start}
}

// Busy returns a host with a full accept queue, listeners on IPv6 and in a container, names that are long or wide or
// hostile, values that are not known, and more than two hundred connections.
func Busy() *model.Snapshot {
	s := Empty()
	s.Probes = map[string]model.ProbeStatus{"accept": {Hook: "fentry inet_csk_accept", Fidelity: model.Exact}}
	s.Lost = map[string]uint64{"ring": 3}
	s.EventsPerSec, s.EventsTotal, s.ConnsPerSec, s.OpenConns = 1234, 81_402, 980.4, 412
	s.Cost = model.Some(model.Cost{HooksCPU: 0.006, SelfCPU: 0.004})
	s.Total = model.Totals{Connects: 90_001, Established: 180_000, Accepts: 89_800, Closes: 179_000, Failed: 12, Resets: 3, Retransmits: 41}
	s.Requests = model.Requests{Count: 73_100, Errors: 290, PerSec: 1210, TotalNS: waits(73_100, 1900*us, 51*ms)}
	s.Listeners = listeners()
	s.Connections = connections()
	s.Events = events()
	s.Findings, s.Namespaces, s.Workers, s.Rings = findings(), namespaces(), workers(), rings()
	s.Exchanges, s.Routes = exchanges(), routes()
	s.Loops = loops()
	return s
}

func process(pid uint32, comm string) model.Process {
	return model.Process{PID: model.Some(pid), Comm: comm}
}

func waits(count uint64, p50, p99 int64) model.Distribution {
	buckets := make([]uint64, 40)
	for i := range 8 {
		buckets[bucket(p50)+i-3] = count / uint64(1+(i-3)*(i-3))
	}
	buckets[bucket(p99)] += 1 + count/100
	return model.Distribution{Count: count, P50: model.Some(p50), P90: model.Some((p50 + p99) / 2), P99: model.Some(p99), Max: model.Some(p99 * 2), Buckets: buckets}
}

func bucket(ns int64) (i int) {
	for ns > 1 {
		ns >>= 1
		i++
	}
	return i
}

func listeners() []model.Listener {
	exact := map[string]model.Fidelity{"accept": model.Exact, "wait_ns": model.Exact, "syn_queue": model.Sampled, "syn": model.Unknown}
	nginx := model.Listener{Conn: 0x101, Local: "[::]:8080", NetNS: 4026531840, Process: process(812, "nginx"), State: model.StateListening,
		Backlog: model.Some[uint32](511), BacklogAsked: model.Some[int32](511), SYNQueue: model.Some[uint32](0), AcceptQueue: model.Some[uint32](0),
		Established: 81_000, Accepted: 81_000, WaitNS: waits(81_000, 14*us, 90*us), HandshakeNS: waits(81_000, 21*us, 60*us), Overflows: model.Some[uint64](0),
		Acceptors: []model.Acceptor{{PID: 812, TID: 812, Comm: "nginx", Accepts: 40_500, Errors: map[string]uint64{"ECONNABORTED": 2}}, {PID: 813, TID: 813, Comm: "nginx", Accepts: 40_500}},
		Fidelity:  exact, Opened: Start + 2*sec, ArrivalsPerSec: 980, AcceptsPerSec: 980, History: history(0, 0, 1, 0, 2, 0, 0)}
	nginx.Unit = "nginx.service"
	api := model.Listener{Conn: 0x102, Local: "0.0.0.0:9000", NetNS: 4026531840, Process: process(4711, "api"), State: model.StateListening,
		Backlog: model.Some[uint32](128), BacklogAsked: model.Some[int32](1024), SYNQueue: model.Some[uint32](3), AcceptQueue: model.Some[uint32](129),
		Established: 2_400, Accepted: 2_271, WaitNS: waits(2_271, 1200*ms, 1900*ms), HandshakeNS: waits(2_400, 24*us, 80*us), Overflows: model.Some[uint64](212),
		SYNYoung: model.Some[uint32](1), SYNACKAgain: 9, CookiesSent: model.Some[uint64](0), CookiesOK: model.Some[uint64](0),
		SYNDrops: map[string]uint64{"accept_queue_full": 212, "other": 2}, DropReasons: map[string]uint64{"NETFILTER_DROP": 2}, ACKDrops: map[string]uint64{"accept_queue_full": 3},
		Acceptors: []model.Acceptor{{PID: 4711, TID: 4711, Comm: "api", Accepts: 1_800, Errors: map[string]uint64{"EMFILE": 12}, OpenFDs: model.Some[uint32](1024), FDLimit: model.Some[uint64](1024),
			Between: model.Some(model.Times{WatchedNS: 90 * sec, RunningNS: 4 * sec, RunqueueNS: 500 * ms, BlockedNS: map[string]int64{"clock_nanosleep": 85 * sec, "accept4": 500 * ms}}),
			Pace:    model.Pace{Times: model.Times{WatchedNS: 80 * sec, RunningNS: 3 * sec, RunqueueNS: 400 * ms, BlockedNS: map[string]int64{"clock_nanosleep": 76_600 * ms}}, Gaps: 1_600}},
			{PID: 4711, TID: 4712, Comm: "api", Accepts: 471}}, Fidelity: exact, Opened: Start + sec, ArrivalsPerSec: 41, AcceptsPerSec: 20,
		History: history(ramp()...)}
	api.Container = "3f9a81c2d7e64b1f"
	for i := range 129 {
		api.Waiting = append(api.Waiting, model.Waiting{Conn: uint64(0x5000 + i), Remote: fmt.Sprintf("172.17.0.4:%d", 51234+i), Since: Now - 2100*ms + int64(i)*16*ms})
	}
	quiet := model.Listener{Conn: 0x103, Local: "[fd00:dead:beef:1234:5678:9abc:def0:1]:65535", NetNS: 4026532281, Process: model.Process{Comm: "postgres"}, State: model.StateListening}
	wide := model.Listener{Conn: 0x104, Local: "127.0.0.1:6379", NetNS: 4026531840, Process: process(990, "サーバー数据库"), State: model.StateListening,
		Backlog: model.Some[uint32](511), SYNQueue: model.Some[uint32](0), AcceptQueue: model.Some[uint32](17), Established: 17, Acceptors: nil, Opened: Start, ArrivalsPerSec: 0.2}
	evil := model.Listener{Conn: 0x105, Local: "127.0.0.1:31337", NetNS: 4026531840, Process: process(666, "a\x1b[31mred\x07"), State: model.StateClosed,
		Backlog: model.Some[uint32](8), Accepted: 4, Established: 4, WaitNS: waits(4, 40*us, 50*us)}
	nginx.Work = work(81_000, 8*us, 300*us, 0, map[string]int64{"read": 8 * us, "app.running": 276 * us, "app.runqueue": 15 * us, "app.blocked:epoll_wait": 9 * us, "waiting": 40 * us})
	api.Work = work(2_200, 9*us, 48*ms, 12*us, map[string]int64{"syn": 20 * us, "accept_queue": 1200 * ms, "read": 9 * us, "app.running": 2 * ms, "app.runqueue": 480 * us, "app.blocked:nanosleep": 45_520 * us, "send": 12 * us})
	wide.Work = work(3, 10*us, 20*us, 30*us, map[string]int64{"read": 10 * us, "unobserved": 20 * us, "write": 30 * us})
	wide.Work.App = model.Distribution{}
	out := []model.Listener{nginx, api, quiet, wide, evil}
	for i := range 3 {
		l := model.Listener{Conn: uint64(0x110 + i), Local: "0.0.0.0:7000", NetNS: 4026531840, Process: process(uint32(7001+i), "gunicorn: worker"), State: model.StateListening,
			Backlog: model.Some[uint32](2048), SYNQueue: model.Some[uint32](0), AcceptQueue: model.Some(uint32(i)), Established: 300, Accepted: uint64(812 - 400*i),
			WaitNS: waits(300, 70*us, 4*ms), HandshakeNS: waits(300, 90*us, 200*us), Overflows: model.Some[uint64](0), ArrivalsPerSec: 3.2, AcceptsPerSec: 3.2,
			Acceptors: []model.Acceptor{{PID: uint32(7001 + i), TID: uint32(7001 + i), Comm: "gunicorn: worker", Accepts: uint64(812 - 400*i)}}, Opened: Start}
		out = append(out, l)
	}
	return out
}

// work is what so many exchanges were, all alike.
func work(n uint64, read, app, write int64, phases map[string]int64) *model.Work {
	w := &model.Work{Exchanges: n, Phases: map[string]int64{}, Read: waits(n, read, 3*read), App: waits(n, app, 2*app), Write: model.Distribution{Count: n, P50: model.Some(write)}}
	for phase, ns := range phases {
		w.Phases[phase] = ns * int64(n)
		w.TotalNS += ns * int64(n)
	}
	return w
}

// ramp is a minute in which a queue fills.
func ramp() []uint32 {
	out := make([]uint32, 58)
	for i := range out {
		out[i] = uint32(min(i*i/18, 129))
	}
	return out
}

func history(depths ...uint32) []model.QueueSample {
	out := make([]model.QueueSample, len(depths))
	for i, d := range depths {
		out[i] = model.QueueSample{TS: Now - int64(len(depths)-i)*sec, SYNQueue: model.Some[uint32](0), AcceptQueue: model.Some(d)}
	}
	return out
}

func connections() []model.Connection {
	var out []model.Connection
	for i := range 200 {
		out = append(out, served(i))
	}
	out = append(out, queued(), pair(), failedConn(), strange())
	return out
}

// served is connection i of nginx, from somewhere else.
func served(i int) model.Connection {
	c := model.Connection{Conn: uint64(0x1000 + i), Role: event.RoleServer, State: model.StateEstablished, Local: "[2001:db8::10]:8080",
		Remote: fmt.Sprintf("[2001:db8::%x]:%d", 0x100+i, 40000+i), NetNS: 4026531840, Process: process(812+uint32(i%2), "nginx"), Opened: Now - int64(i+1)*400*ms,
		HandshakeNS: model.Some(int64(20*us + i*100)), WaitNS: model.Some(int64(14*us + i*50)), RTTNS: model.Some(int64(84 * us)),
		BytesIn: model.Some(uint64(79 * (i + 1))), BytesOut: model.Some(uint64(1234 * (i + 1))), Retransmits: model.Some(uint32(i / 150)),
		FD: model.Some(int32(10 + i)), Listener: model.Some[uint64](0x101)}
	if i%10 == 9 {
		c.State, c.Closed, c.Reason = model.StateClosed, model.Some(int64(Now-ms)), event.ReasonFIN
		c.DurationNS = model.Some(int64(i) * 40 * ms)
	}
	return c
}

func queued() model.Connection {
	return model.Connection{Conn: 0x5000, Role: event.RoleServer, State: model.StateAcceptQueue, Local: "172.17.0.2:9000", Remote: "172.17.0.4:51234", NetNS: 4026531840,
		Process: process(4711, "api"), Opened: Now - 2100*ms, Listener: model.Some[uint64](0x102), HandshakeNS: model.Some[int64](24 * us)}
}

// pair is the client's socket of a connection on this host; the server's is connection 0x1000.
func pair() model.Connection {
	return model.Connection{Conn: 0x2000, Role: event.RoleClient, State: model.StateEstablished, Local: "127.0.0.1:40000", Remote: "127.0.0.1:8080", NetNS: 4026531840,
		Process: process(4712, "curl"), Opened: Now - 401*ms, Peer: model.Some[uint64](0x1000), HandshakeNS: model.Some[int64](42 * us), Story: []model.EventLine{
			{TS: Now - 401*ms, Kind: "connect", Conn: 0x2000, PID: 4712, Comm: "curl", Text: "127.0.0.1:40000 → 127.0.0.1:8080"},
			{TS: Now - 401*ms + 42*us, Kind: "established", Conn: 0x2000, PID: 4712, Comm: "curl", Text: "handshake 42 µs  rtt 40 µs"},
			{TS: Now - 100*ms, Kind: "retransmit", Conn: 0x2000, Text: "by this side"},
		}}
}

func failedConn() model.Connection {
	return model.Connection{Conn: 0x2001, Role: event.RoleClient, State: model.StateClosed, Local: "127.0.0.1:40002", Remote: "127.0.0.1:9", NetNS: 4026531840,
		Process: process(4713, "curl"), Opened: Now - 5*sec, Closed: model.Some[int64](Now - 5*sec + 30*us), Reason: event.ReasonRefused, Errno: model.Some[int32](111)}
}

// strange is a connection of which next to nothing is known.
func strange() model.Connection {
	return model.Connection{Conn: 0x2002, State: model.StateEstablished, Remote: "10.0.0.9:22", Opened: Start, PreExisting: true}
}

func events() []model.EventLine {
	var out []model.EventLine
	for i := range 60 {
		at := Now - int64(60-i)*20*ms
		conn := uint64(0x1000 + i)
		addr := fmt.Sprintf("[2001:db8::10]:8080 ← [2001:db8::%x]:%d", 0x100+i, 40000+i)
		out = append(out,
			model.EventLine{TS: at, Kind: "established", Conn: conn, Text: addr + "  handshake 21 µs"},
			model.EventLine{TS: at + 14*us, Kind: "accept", Conn: conn, PID: 812, Comm: "nginx", Text: addr + "  waited 14 µs  fd 12"})
	}
	return append(out,
		model.EventLine{TS: Now - 3*ms, Kind: "connect", Conn: 0x2001, PID: 4713, Comm: "curl", Text: "127.0.0.1:40002 → 127.0.0.1:9"},
		model.EventLine{TS: Now - 2*ms, Kind: "close", Conn: 0x2001, PID: 4713, Comm: "curl", Text: "127.0.0.1:40002 → 127.0.0.1:9  refused  errno 111"},
		model.EventLine{TS: Now - 1*ms, Kind: "lost", Text: "3 events because the ring buffer was full"})
}
