# The worker's principal: it opens what the API seals, grants included, and destroys the keys of a
# tenant that is closed. It makes none.

path "transit/datakey/plaintext/meetbot-*" {
  capabilities = ["update"]
}
path "transit/decrypt/meetbot-*" {
  capabilities = ["update"]
}

# Destroying: deleting must be allowed first; nothing else may be changed, exportable least of all.
path "transit/keys/+" {
  capabilities = ["delete"]
}
path "transit/keys/+/config" {
  capabilities        = ["update"]
  required_parameters = ["deletion_allowed"]
  allowed_parameters = {
    "deletion_allowed" = [true]
  }
}
