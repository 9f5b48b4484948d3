// SPDX-License-Identifier: Apache-2.0

package view

// What the kernel does for each number. The names are functions of net/ipv4 that anyone can look up.
const (
	explainListener = "listen() turned this socket into a listener (inet_csk_listen_start). From then on the kernel completes handshakes by itself; " +
		"the application only takes finished connections out of the accept queue."
	explainSYNQueue = "Requests whose handshake is not complete. A SYN makes one (tcp_conn_request, inet_csk_reqsk_queue_hash_add), the kernel answers with a SYN-ACK, " +
		"and the final ACK takes it out (tcp_check_req). When the queue is full, the kernel answers with SYN cookies, or drops the SYN if cookies are off."
	explainAcceptQueue = "Connections that are complete but not accepted yet, against the limit. The final ACK puts them in (inet_csk_complete_hashdance), accept() takes them out (inet_csk_accept). " +
		"A backlog of N holds N+1; beyond it the kernel drops new SYNs and final ACKs, and the client tries again after about a second."
	explainPast      = " The bar is its length against that limit, the blocks below it the last minute: the deepest of six seconds each, the newest at the right."
	explainNetNS     = "The network namespace (its inode number, as in ls -l /proc/PID/ns/net): it has its own addresses, its own counters and its own somaxconn."
	explainSeverity  = "critical: clients are refused, or wait without end. warning: they will be, or are slow for a reason that can be mended. note: worth knowing."
	explainFinding   = "What a rule concluded from the counters, queues and threads. Enter shows its numbers, what the kernel does, and what to change."
	explainSubject   = "What it is about: a listener, or a network namespace where this kernel does not tell the listener."
	explainFor       = "Since its evidence was first seen; for one that has ended, how long it held. A finding stays for some seconds after its evidence is gone."
	explainArrivals  = "Connections per second that entered the accept queue. No application code runs for this: the kernel completes the handshake in softirq, when the final ACK arrives."
	explainAccepts   = "Connections that accept() took out of the queue (inet_csk_accept), per second or in all. If fewer go out than come in, the queue grows until it is full."
	explainWait      = "Time in the accept queue: from the entry of the finished connection to the return of accept(). The client is connected all this time and may have sent its request; nobody has read it."
	explainRefused   = "SYNs and final ACKs that the listener dropped, because a queue was full or for another reason. The client sees nothing but silence and sends again: about one second later at first."
	explainAcceptors = "Threads that called accept on this listener. With several blocked in accept the kernel wakes one for each connection (exclusive wait in inet_csk_wait_for_connect)."
	explainMinute    = "The accept queue in the last minute, one block a second, against the limit. Each block is the deepest value seen in its second."
	explainHandshake = "Client: from connect() to the SYN-ACK. Server: from the SYN to the final ACK, in the kernel alone; or the round trip of SYN-ACK and ACK where the SYN cannot be seen."
	explainOwner     = "The process that owns the socket, learnt when it called connect, accept or listen itself. In softirq the current process is somebody else: there the owner is not known and stays a dash."
	explainAddress   = "The two ends of the connection. On loopback both have a socket on this host, and each is a row of its own: they share addresses, not the socket."
	explainRole      = "The arrow points from the client to the server: → this socket called connect, ← this socket came out of a listener."
	explainState     = "Where the connection is: connecting (SYN sent), accept queue (complete, nobody accepted it), established (in the hands of its application), closed, or the reason why it ended. " +
		"The kernel changes the TCP state in tcp_set_state."
	explainRequestTime   = "When the last byte of the response was first sent. The newest stand on top."
	explainRequest       = "Method and path as the first bytes of the request say them, without the query; or the protocol's name where it is not known: then a request is what the client says until the server answers."
	explainStatus        = "The status of the response (RFC 9110, 15)."
	explainTotal         = "From the SYN, for the first request of a connection, or from the first byte of the request in the socket, to the last byte of the response first sent. The phases add up to it."
	explainTTFB          = "From the same beginning to the first byte of the response that the application wrote."
	explainSlowest       = "The phase that took longest, and its share of the total. Enter shows all of them."
	explainAck           = "From the last byte sent to its acknowledgement by the client's kernel, which may wait up to 40 ms before it acknowledges (delayed ACK)."
	explainRTT           = "Smoothed round trip time that the kernel keeps for each connection (srtt_us, updated in tcp_rtt_estimator). On loopback it includes how long the peer's CPU took to answer."
	explainBytes         = "Payload received, and payload sent, each byte once (bytes_received, and bytes_sent less bytes_retrans of tcp_sock). Known when the connection ends."
	explainAge           = "Since the handshake, or since collection began if the connection is older; for a closed one its whole duration."
	explainRetransmits   = "Segments that were sent again because no acknowledgement came in time or gaps were reported (tcp_retransmit_skb). A few are normal on a lossy path; on loopback there should be none."
	explainFD            = "The descriptor that accept() or socket() gave to the process. It may be closed and used again: connections are told apart by their socket cookie, never by this."
	explainConnections   = "Connections of this service that its application has accepted and not closed, and how many new ones enter its accept queue per second."
	explainTime          = "When it happened, stamped in the kernel by bpf_ktime_get_ns (CLOCK_MONOTONIC). Events of different CPUs are put in order by this time."
	explainEvent         = "What the kernel was seen to do. accept is when accept() returned to the application; established is the kernel's end of the handshake, before any application code ran."
	explainCookie        = "The socket cookie (sock_gen_cookie): a number that the kernel gives to a socket once and to no other, unlike a descriptor or an address."
	explainWorker        = "A thread that serves: its process's name and number, and the number of the thread if it is not the process's first. Threads of the processes that hold a watched listener, or that a filter selects."
	explainWorkerRole    = "What it was seen to do. acceptor: it took connections out of an accept queue. loop: it waits for many sockets at once (epoll, poll, select). worker: neither; it serves what others accepted, or does something else."
	explainWorkerAccepts = "Connections that accept() gave to this thread. The kernel wakes one of those that wait (inet_csk_wait_for_connect adds them as exclusive waiters); threads that share a listener seldom get the same number."
	explainWorkerTime    = "What the scheduler did with it in the last ten seconds: on a CPU, runnable but waiting for one (from sched_wakeup, or from being preempted, to sched_switch), or asleep. The three add up to all of its time."
	explainRunQueue      = "Runnable, and no CPU to run on: more threads want to run than there are CPUs. Nothing in the program takes this time. That its cgroup has used up its quota is told apart: blocked in throttled."
	explainBlockedIn     = "The system call that it sleeps in, read from its saved registers when the scheduler takes it off its CPU (__schedule). accept4 and epoll_wait are waits for work; others keep it from work. page_fault: a page of memory was not there."
	explainWorkerCPU     = "The CPU on which it ran last (task_cpu)."
	explainSwitches      = "Times that it left a CPU since it is watched: because it slept, or because another thread had its turn (__schedule)."
	explainMoves         = "Times that it came back on another CPU than before: what it had in the caches of the old one is far away then."
	explainWatched       = "For how long its scheduling is watched. Without a filter that is only while somebody looks at this page or an accept queue is more than half full."
)
