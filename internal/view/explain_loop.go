// SPDX-License-Identifier: Apache-2.0

package view

// What the kernel does for each number of an event loop.
const (
	explainLoop = "A thread that waits for whichever of many descriptors is ready first: on an epoll instance (its descriptor is epfd), or in poll or select. " +
		"An interrupt brings a packet, the socket tells its waiters (sk_data_ready, ep_poll_callback), the thread wakes up, and its call returns what is ready. Then it works until it waits again."
	explainLoopWaits = "Waits that returned (do_epoll_wait, do_sys_poll, core_sys_select), per second or in all. The more are ready at each, the fewer calls are needed for the same work."
	explainLoopReady = "How many descriptors were ready when a wait returned: the middle value, and what 1 % exceed. The blocks are wake-ups with 1, 2, 3–4, 5–16 and more. " +
		"Many at once mean that work piled up while the loop was busy."
	explainLoopBusy  = "The share of the last ten seconds in which the thread was not inside its wait: it works, waits for a CPU, or sleeps in another call. A loop that is always busy makes everybody wait."
	explainLoopSleep = "The longest sleep in another system call between two waits (from 5 ms on), by the scheduler (sched_switch). While it sleeps nobody looks at the descriptors that become ready; " +
		"the number is how many were when it came back."
	explainLoopSockets = "Sockets among the descriptors that it waits for. A loop without any is a runtime's own: for timers, signals, or other threads."
	explainLoopFDs     = "Descriptors that it waits for: the epoll instance's list (/proc/PID/fdinfo), or what the last poll or select was called with."
	explainLoopEmpty   = "Waits that returned without a ready descriptor: a timeout was over, or the loop did not want to wait (timeout 0). Many of them are work for nothing. " +
		"A thread that is woken within its wait, finds that another one took what came and sleeps again returns nothing: that is counted apart, in vain."
	explainLoopModes = "How epoll watches the descriptors. level: it tells as long as one is ready; edge (EPOLLET): once, when it becomes so; " +
		"exclusive: of several instances only one is woken; oneshot: once, until it is armed again."
	explainLoopWatched = "For how long it is watched. Without a filter that is only while somebody looks at this page."
)
