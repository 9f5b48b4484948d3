// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"

	"beltrace/collector/model"
)

const (
	shortAtLeast = 20 // connections of one address in the last seconds
	shortMany    = 50 // … that are more than a note
)

// noKeepAlive: the same client makes a connection for each request.
var noKeepAlive = rule{
	id: "no-keep-alive",
	mechanism: "Each connection costs a handshake (a round trip before the first byte, more with TLS), a wait in the accept queue, a socket at both ends and a slow start of the congestion window; the side that closes first keeps the port in TIME_WAIT for a minute (tcp_time_wait). " +
		"HTTP/1.1 keeps a connection open for the next request unless one side says Connection: close.",
	listener: func(l *listener) *evidence {
		then := map[string]model.Client{}
		for _, c := range l.ago(span).work.Clients {
			then[c.Addr] = c
		}
		var worst model.Client
		others := 0
		for _, c := range l.now.work.Clients {
			old := then[c.Addr]
			c.Closed, c.Single, c.ByUs = grown(c.Closed, old.Closed), grown(c.Single, old.Single), grown(c.ByUs, old.ByUs)
			if !l.reaches(float64(c.Single), shortAtLeast) || !l.within(float64(grown(c.Closed, c.Single)), float64(c.Closed)/10) {
				continue
			}
			others++
			if c.Single > worst.Single {
				worst = c
			}
		}
		if others == 0 {
			return nil
		}
		e := &evidence{severity: model.Note, weight: float64(worst.Single), numbers: map[string]float64{"connections_10s": float64(worst.Single), "clients": float64(others)},
			remedy: "Let the client keep its connections: one pool for the whole process, bodies read to their end, no Connection: close. Behind a proxy switch keep-alive on towards the backend as well (nginx: keepalive in upstream, proxy_http_version 1.1)."}
		if worst.Single >= shortMany {
			e.severity = model.Warning
		}
		e.text = fmt.Sprintf("%s made %d connections in the last 10 s with one request on each", worst.Addr, worst.Single)
		if others > 1 {
			e.text += fmt.Sprintf(", and so did %s", count(uint64(others-1), "other address"+plural(others-1)))
		}
		if 2*worst.ByUs > worst.Single {
			e.text += ". The server closed them: it has keep-alive off, or was asked to close"
		}
		return e
	},
}

// plural completes "address": count adds an s to any noun.
func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "e"
}
