// SPDX-License-Identifier: Apache-2.0

package viewtest

import "beltrace/collector/model"

// rings are a server's with multishot operations, a database's that the kernel does with worker threads, one that overflows,
// with a hostile name, on a kernel that does not tell everything, one that is idle, and one that has just closed.
func rings() []model.Ring {
	ring := func(pid, number uint32, comm string) model.Ring {
		return model.Ring{PID: pid, Comm: comm, Ring: number, SQEntries: model.Some[uint32](128), CQEntries: model.Some[uint32](256), InFlight: model.Some[uint64](0),
			Overflow: model.Some[uint64](0), Ops: map[string]model.RingOp{}, Opened: Now - 60*sec, Changed: Now - sec}
	}
	web := ring(6001, 1, "uring")
	web.InFlight, web.Setup = model.Some[uint64](12), "single_issuer,defer_taskrun"
	web.Submits, web.Reaps = model.Batches{Count: 31_000, Sum: 434_000}, model.Batches{Count: 31_100, Sum: 840_000}
	web.Ops["recv"] = model.RingOp{Submitted: 900, Count: 420_000, More: 419_100, Errors: 12, LatencyNS: waits(900, 16*ms, 133*ms), How: map[string]uint64{"inline": 20_000, "poll": 400_000}}
	web.Ops["send"] = model.RingOp{Submitted: 419_000, Count: 419_000, Linked: 8, LatencyNS: waits(419_000, 31*us, 160*us), How: map[string]uint64{"inline": 418_000, "io-wq": 1_000}}
	web.Ops["accept"] = model.RingOp{Submitted: 1, Count: 900, More: 900, Direct: 1, Fixed: 1, How: map[string]uint64{"inline": 1, "poll": 899}}
	disk := ring(990, 2, "サーバー数据库")
	disk.Submits = model.Batches{Count: 9_000, Sum: 9_000}
	disk.Ops["read"] = model.RingOp{Submitted: 9_000, Count: 8_996, LatencyNS: waits(8_996, 180*us, 4*ms), How: map[string]uint64{"inline": 2_000, "io-wq": 5_200}}
	disk.InFlight = model.Some[uint64](4)
	over := ring(666, 1, "a\x1b[31mred\x07")
	over.Overflow, over.InFlight = model.Some[uint64](1_204), model.Opt[uint64]{}
	over.Ops["nop"] = model.RingOp{Submitted: 80_000, Count: 80_000, Errors: 80_000, Sampled: true, LatencyNS: waits(5_021, 900, 3*us), How: map[string]uint64{"inline": 80_000}}
	idle := ring(6001, 2, "uring")
	idle.Overflow = model.Opt[uint64]{}
	closed := ring(7777, 1, "batch")
	closed.State, closed.InFlight = model.StateClosed, model.Opt[uint64]{}
	return []model.Ring{over, disk, web, idle, closed}
}
