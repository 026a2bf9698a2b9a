// Package egresstest is for tests of what connects to addresses that others
// name.
//
//	resolver := egresstest.Resolver(func(host string, lookup int) []string { return []string{"127.0.0.1"} })
//	policy := egress.Policy{Resolver: resolver}
//
// It asks nobody: the answers come from the function alone.
package egresstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// Resolver returns a resolver that knows what addresses returns for a host;
// lookup counts those of that host, from 1. No address is a name that does not
// exist.
func Resolver(addresses func(host string, lookup int) []string) *net.Resolver {
	names := &names{addresses: addresses, lookups: make(map[string]int)}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go names.serve(server) // ends with the client's end
		return client, nil
	}}
}

type names struct {
	addresses func(host string, lookup int) []string

	mu      sync.Mutex // guards lookups
	lookups map[string]int
}

// serve answers as DNS over TCP does: with the length before each message.
func (n *names) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var length uint16
		if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
			return
		}
		query := make([]byte, length)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		answer, err := n.answer(query)
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func (n *names) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response, message.RecursionAvailable, message.Additionals = true, true, nil
	question := message.Questions[0]
	known := n.find(strings.TrimSuffix(question.Name.String(), "."), question.Type == dnsmessage.TypeA)
	if len(known) == 0 {
		message.RCode = dnsmessage.RCodeNameError
	}
	for _, text := range known {
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
		switch ip := netip.MustParseAddr(text); {
		case ip.Is4() && question.Type == dnsmessage.TypeA:
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case !ip.Is4() && question.Type == dnsmessage.TypeAAAA:
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	return message.Pack()
}

// find counts lookups by their questions for IPv4, as each asks for both.
func (n *names) find(host string, counts bool) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if counts {
		n.lookups[host]++
	}
	return n.addresses(host, max(n.lookups[host], 1))
}
