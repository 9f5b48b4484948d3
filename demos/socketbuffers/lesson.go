// SPDX-License-Identifier: Apache-2.0

package socketbuffers

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	turn := []string{demo.FactTurn}
	return demo.Lesson{
		Title: "Socket buffers: who does not read, stops the writer",
		Steps: []demo.Step{
			stepQuick: {
				Title: "a client that reads",
				Text: "write() does not send: it copies bytes into the socket's send buffer, and returns. The kernel sends what the receiver's window allows, and keeps everything until it is acknowledged. At the other end bytes wait in the receive buffer until read().\n" +
					"Here the client reads as fast as it can. 8 MB go through, and the server's writes hardly ever wait.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text: "8 MB left in many calls, in less time than the slow client sleeps", Needs: turn, Check: checkQuick,
				}},
			},
			stepSlow: {
				Title: "a client that does not",
				Text: "The next client asks for the same, and then sleeps for a second. Its receive buffer fills within a moment; its kernel announces a window of 0. The server's kernel may not send any more, and its send buffer fills as well.\n" +
					"Now the server's write cannot go on. A blocking one sleeps; Go parks the goroutine; an event loop gets EAGAIN. From time to time the kernel sends a probe: is the window open again?",
				Page: "connections",
				Claims: []demo.Claim{{
					Text: "the client's window was full: for most of its sleep the server's kernel might not send", Needs: turn, Check: checkWindow,
				}, {
					Text: "the server's writes stood still meanwhile: the time between its first byte written and the last", Needs: turn, Check: checkStood,
				}, {
					Text: "all bytes arrived in the end: what could not be sent waited in the server's socket", Needs: turn, Check: checkAll,
				}},
			},
			stepOther: {
				Title: "and the others?",
				Text: "The slow client comes again, and while its window is closed another one makes 20 small requests. This server has a goroutine for each connection, so one that stands still holds up nobody else.\n" +
					"In a server with one thread, or with a lock held while it writes, everybody would wait. So give writes a deadline, and bound what is kept for one client.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "20 requests of another client were answered while the slow one's window was closed", Needs: turn, Check: checkOthers,
				}},
			},
		},
	}
}
