// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

// Claims that several models make in the same words.
var (
	secondIsTaken = demo.Claim{
		Text:  "the second client was accepted while the first was still there",
		Needs: []string{factAccept, factWait},
		Check: checkSecondIsTaken(),
	}
	oneAcceptor = demo.Claim{
		Text:  "one thread accepted all clients",
		Needs: []string{factAccept},
		Check: acceptedBy(1, 1),
	}
	servedTogether = demo.Claim{
		Text:  "many clients were being served at the same time",
		Needs: []string{factAccept},
		Check: heldMoreThan(Team),
	}
	sleptInRead = demo.Claim{
		Text:  "when they slept, they were in read: for the database or for their one client",
		Needs: []string{factBlocked},
		Check: sleptIn(answers, 70, "read"),
	}
)
