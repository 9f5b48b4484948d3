// SPDX-License-Identifier: Apache-2.0

package viewtest

import "beltrace/collector/model"

// loops are those of the workers of Busy: quick ones, one that is blocked, one that polls, a runtime's own, a hostile name, one
// of which little is known, and two that have ended.
func loops() []model.Loop {
	nginx := epoll(812, 812, "nginx", 7, 71, 40_500, 1, 4)
	nginx.Modes = map[string]uint64{"edge": 211, "level": 1, "exclusive": 1}
	nginx.Interest = map[int32]uint32{6: 0x10000001, 11: 0x80002001, 12: 0x80002001}
	nginx.Spurious = model.Some[uint64](37)
	nginx.Added, nginx.Modified, nginx.Removed = model.Some[uint64](1_204), model.Some[uint64](0), model.Some[uint64](3)
	nginx.Readied, nginx.ReadiedAll = model.Some([]model.ReadyFD{{FD: 11, Times: 40_211, Last: Now - sec/500}, {FD: 6, Times: 1, Last: Now - 9*sec}}), true
	node := epoll(5120, 5120, "node", 13, 98, 9_300, 3, 40)
	node.Stalls, node.Stall, node.LastStall = 12, model.Some(model.Stall{TS: Now - 2*sec, OffNS: 52e6, On: "pread64", Ready: 9}), model.Some(model.Stall{TS: Now - sec, OffNS: 6e6, On: "futex"})
	own := epoll(5120, 5133, "node", 20, 0, 12, 1, 1)
	own.Sockets, own.FDs, own.Modes = model.Some[uint32](0), model.Some[uint32](2), map[string]uint64{"level": 2}
	evil := epoll(666, 666, "a\x1b[31mred\x07", 4, 5, 77, 1, 1)
	evil.Kind, evil.EpFD, evil.Modes = "poll\x1b", model.Opt[int32]{}, nil
	evil.Stalls, evil.Stall = 1, model.Some(model.Stall{TS: Now, OffNS: 8e6, On: "accept\x1b4"})
	old := model.Loop{PID: 990, TID: 1001, Comm: "サーバー数据库", Kind: "select", State: model.StateLooping, Watched: 60 * sec, Blocked: 60 * sec}
	gone := epoll(7004, 7004, "gunicorn: worker", 5, 1, 40, 1, 1)
	gone.State, gone.Ended = model.StateClosed, model.Some[int64](Now-4*sec)
	longGone := epoll(7005, 7005, "gunicorn: worker", 5, 1, 40, 1, 1)
	longGone.State, longGone.Ended = model.StateClosed, model.Some[int64](Now-60*sec)
	api := epoll(4711, 4712, "api", 5, 30, 2_000, 1, 2)
	return []model.Loop{evil, nginx, api, epoll(813, 813, "nginx", 7, 64, 38_000, 1, 3), old, node, own, gone, longGone}
}

// epoll is a loop that was busy so many percent of a minute.
func epoll(pid, tid uint32, comm string, epfd int32, busy int64, waits uint64, p50, p99 int64) model.Loop {
	const watched = 60 * sec
	return model.Loop{PID: pid, TID: tid, Comm: comm, EpFD: model.Some(epfd), Kind: "epoll", State: model.StateLooping,
		Waits: waits, Empty: waits / 20, Polls: waits / 40, Blocked: watched / 100 * (100 - busy), Busy: watched / 100 * busy, Watched: watched,
		Ready:   model.Distribution{Count: waits - waits/20, P50: model.Some(p50), P90: model.Some(p50), P99: model.Some(p99), Max: model.Some(2 * p99)},
		Wakeups: []model.ReadyCount{{Ready: uint32(p50), Count: waits * 9 / 10}, {Ready: uint32(2*p50 + 1), Count: waits / 30}, {Ready: uint32(4*p99 + 3), Count: 1 + waits/100}},
		Max:     model.Some[uint32](512), FDs: model.Some[uint32](212), Sockets: model.Some[uint32](210), Modes: map[string]uint64{"level": 212},
	}
}
