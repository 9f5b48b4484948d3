// SPDX-License-Identifier: Apache-2.0

package http1

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	turn := []string{demo.FactTurn}
	return demo.Lesson{
		Title: "HTTP/1.1 on one connection",
		Steps: []demo.Step{
			stepKeepAlive: {
				Title: "keep-alive: one after the other",
				Text: "To the kernel a connection is two streams of bytes. Where a request ends and the next one begins only the protocol knows: HTTP/1.1 says it in text, by an empty line and Content-Length.\n" +
					"So a connection can be used again as soon as an answer was read to its end. The client asks, waits, reads, asks. While it waits, the connection can carry nothing else.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "one connection carried all requests: one handshake and one accept for all of them", Needs: turn, Check: checkKept,
				}, {
					Text: "each request came after the answer to the one before", Needs: turn, Check: checkTurns,
				}},
			},
			stepPipelining: {
				Title: "pipelining: answered in order",
				Text: "The client writes five requests in one call and does not wait in between. The server must answer in the order of the requests: nothing in an answer says which request it belongs to.\n" +
					"Each takes 20 ms, so the last waits for all before it: head-of-line blocking. Browsers gave pipelining up for that reason and open six connections instead; HTTP/2 puts a number on every piece.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "five requests came in one read", Needs: turn, Check: checkOneRead,
				}, {
					Text: "they were answered in the order in which they came", Needs: turn, Check: checkOrder,
				}, {
					Text: "the last one waited for all the others", Needs: turn, Check: checkHeadOfLine,
				}},
			},
			stepChunked: {
				Title: "chunked: an answer of unknown length",
				Text: "A report is written while it is made. Content-Length cannot be known, so the server sends chunks: each begins with its own length, and one of length 0 is the end.\n" +
					"The client reads the first piece long before the last one exists. And since the end is in the stream, the connection can be used again; HTTP/1.0 had to close it to say that the answer is over.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "the answer left in pieces: the first one long before the last", Needs: turn, Check: checkPieces,
				}, {
					Text: "the next request came on the same connection", Needs: turn, Check: checkAgain,
				}},
			},
		},
	}
}
