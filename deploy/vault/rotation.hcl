# Whoever runs `keys rotate`: renews versions and wraps data keys anew, and sees none of them.

path "transit/keys/+" {
  capabilities = ["read"]
}
path "transit/keys/+/rotate" {
  capabilities = ["update"]
}
path "transit/datakey/wrapped/meetbot-*" {
  capabilities = ["update"]
}
path "transit/rewrap/meetbot-*" {
  capabilities = ["update"]
}
path "transit/keys/+/config" {
  capabilities        = ["update"]
  required_parameters = ["min_decryption_version"]
  allowed_parameters = {
    "min_decryption_version" = []
  }
}
