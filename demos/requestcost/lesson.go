// SPDX-License-Identifier: Apache-2.0

package requestcost

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	turn, marks := []string{demo.FactTurn}, []string{demo.FactTurn, "mark"}
	return demo.Lesson{
		Title: "What a request costs before anything is done for it",
		Steps: []demo.Step{
			stepOnePiece: {
				Title: "one write, one read",
				Text: "A request of some fifty bytes arrives in one segment. The kernel puts it into the socket's receive buffer and wakes the thread that waits; one read copies it to the application, which then parses text: a method, a path, header lines.\n" +
					"All that happens before your handler runs. The server marks when it parses.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "each small request is one read", Needs: turn, Check: checkOneRead,
				}, {
					Text: "parsing was seen for each request: it begins when the first byte is in the buffer", Needs: marks, Check: checkParsed,
				}},
			},
			stepPieces: {
				Title: "the same bytes in ten pieces",
				Text: "Now the client writes the same request in ten small calls, 2 ms apart, as programs without a buffer do, or slow links. To the server each piece is a wake-up, a system call and a look whether the request is complete.\n" +
					"It can do nothing useful until the last byte is there; a server with a thread for each connection has that thread occupied meanwhile.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "the same requests need several reads each", Needs: turn, Check: checkManyReads,
				}, {
					Text: "between the first byte and the last the server could only wait", Needs: turn, Check: checkWaited,
				}},
			},
			stepLarge: {
				Title: "a header of 32 kB",
				Text: "Cookies, tokens, traces: the header has 400 lines more, and leaves the client in one write. But the server reads 4 kB at a time, so there are eight reads and more, and each line must be found, copied and put into a table.\n" +
					"That work is done again for each request of the connection. HTTP/2 compresses headers for that reason, and servers limit them.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "each large request needs a read for every 4 kB", Needs: turn, Check: checkLargeReads,
				}, {
					Text: "parsing takes twice as long as that of a small request, or longer", Needs: marks, Check: checkLargeParse,
				}},
			},
		},
	}
}
