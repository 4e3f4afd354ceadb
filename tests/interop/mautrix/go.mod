module mautrix-peer

go 1.26.0

require go.mau.fi/mautrix-twitter v0.0.0

replace (
	github.com/imroc/req/v3 => ./req
	github.com/openziti/secretstream => ./secretstream
)
