# The API's principal: it reads and writes content; grants (people's refresh tokens) it can seal,
# and never open. Nothing is allowed on encrypt/*: it would bring a destroyed key back.

# Content: titles, guests, rules, messages, the tenants' own client and webhook secrets.
path "transit/datakey/plaintext/meetbot-ten_*" {
  capabilities = ["update"]
}
path "transit/decrypt/meetbot-ten_*" {
  capabilities = ["update"]
}

# Grants: a new data key to seal with; there is no decrypt.
path "transit/datakey/plaintext/meetbot-grant-ten_*" {
  capabilities = ["update"]
}

# New tenants' keys, of our one kind. (No star: "transit/keys/meetbot-*" would reach
# keys/NAME/rotate and keys/NAME/config as well, and win over anything said of those.)
path "transit/keys/+" {
  capabilities       = ["update"]
  allowed_parameters = {
    "type" = ["aes256-gcm96"]
  }
}
