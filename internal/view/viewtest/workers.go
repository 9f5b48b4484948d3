// SPDX-License-Identifier: Apache-2.0

package viewtest

import "beltrace/collector/model"

// workers are the threads of the listeners of Busy, one with a hostile name, one that has ended, and threads beside the
// first of a process.
func workers() []model.Worker {
	evil := worker(666, 666, "a\x1b[31mred\x07", model.RoleAcceptor, 4, 0, 0, "accept\x1b4")
	ended := worker(7004, 7004, "gunicorn: worker", model.RoleWorker, 0, 1, 0, "read")
	ended.Ended = model.Some[int64](Now - 4*sec)
	gone := worker(7005, 7005, "gunicorn: worker", model.RoleWorker, 0, 1, 0, "read")
	gone.Ended = model.Some[int64](Now - 60*sec)
	strange := worker(990, 1001, "サーバー数据库", model.RoleLoop, 0, 20, 70, "epoll_wait")
	strange.CPU = model.Opt[uint32]{}
	api := worker(4711, 4711, "api", model.RoleAcceptor, 2_271, 4, 1, "clock_nanosleep")
	api.BlockedNS["accept4"], api.BlockedNS["futex"] = api.BlockedNS["clock_nanosleep"]/50, api.BlockedNS["clock_nanosleep"]/100
	api.WatchedNS += api.BlockedNS["accept4"] + api.BlockedNS["futex"]
	return []model.Worker{
		evil,
		worker(812, 812, "nginx", model.RoleAcceptor, 40_500, 92, 5, "epoll_wait"),
		worker(813, 813, "nginx", model.RoleAcceptor, 40_500, 71, 2, "epoll_wait"),
		strange,
		api,
		worker(4711, 4720, "api", model.RoleWorker, 0, 0, 0, "futex"),
		worker(7001, 7001, "gunicorn: worker", model.RoleAcceptor, 812, 38, 12, "accept4"),
		worker(7002, 7002, "gunicorn: worker", model.RoleAcceptor, 412, 6, 0, "accept4"),
		worker(7003, 7003, "gunicorn: worker", model.RoleAcceptor, 12, 0, 0, "page_fault"),
		ended, gone,
	}
}

// worker is a thread that ran and waited for a CPU so many percent of a minute, and slept the rest.
func worker(pid, tid uint32, comm, role string, accepts uint64, run, queue int64, in string) model.Worker {
	const watched = 60 * sec
	return model.Worker{PID: pid, TID: tid, Comm: comm, Role: role, Accepts: accepts,
		Times: model.Times{WatchedNS: watched, RunningNS: watched / 100 * run, RunqueueNS: watched / 100 * queue,
			BlockedNS: map[string]int64{in: watched / 100 * (100 - run - queue)}},
		Switches: uint64(run+1) * 1000, Migrations: uint64(queue), CPU: model.Some(pid % 2)}
}
