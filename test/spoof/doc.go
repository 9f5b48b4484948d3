// SPDX-License-Identifier: Apache-2.0

// Package spoof is clients that are no sockets: it writes their segments to a TUN device and reads what a server
// answers. Nothing is sent again and nothing is answered by itself. For tests and measurements.
package spoof
