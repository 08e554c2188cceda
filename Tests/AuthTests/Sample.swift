// Keys and tokens made by others: OpenSSL's keys, PyJWT's tokens, for tests alone.

enum Sample {
  static let secret = "0123456789abcdef0123456789abcdef0123456789abcdef"
  static let rsaPrivate = """
    -----BEGIN PRIVATE KEY-----
    MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCLocJs2Nfjmmgc
    MlW91KpqbKKUzBvbXV9bSopXpPTZJqigjr/UZKmF6r6DYAy6gT8k5/avVGL/9qlq
    0udpF4eYavQfRWnrkNJudWq3kAMBDxMussixY4E4+45XCBzN9Y7ryjgeyqTmes+o
    yQJMPRv1evTWa2eWhnUCRyJllhw7F9RG63wEL3u9qqJAp3w7j/08l31A6EqAQIxf
    2RZ3anKn56cHYav6uYW8C8rAT3OBcEkNlrxmq8y8udjw06D5yR+BY5J0OyRTppf3
    1lxHY8NJp4kn6c7yQxUUCAWX/0YpMcSzRZiFqDGZNS4pZRmjsGO3ZieVAYjrZ8Nv
    lEYG+rBDAgMBAAECggEAOmcErsk991VocU6+XSF7y/q3P9xlVGnoDgON/J2iycbp
    Jgq/AqO94iTu3X1JpaKUmiepnukBZYUylFs1blfon6AwjnnWlTBkS84xvihukT1Q
    bSpbVhLEBGT3QsDCZ4TrbAUPVxW0RjCc9cBphSDUNmdgy+RtleCURUkignH4SeCN
    +gbFQt4LazhpNTdqu+WHQg3EHs0GYGpwBYJrL5itBH8R6AwNrNUuFpGCp00hheEo
    TQ6fU8qSYgq1+aJra3gX2WwNsorHyWwiDIzAq6YRnNJ4xLJRDT/7xu4cfKhmfXTI
    YbFBPhg720V/ggkExvHYONxnMNT0x9r6Kl/IU+DkHQKBgQDAl3g28t5Vk7Q0LKBt
    /LdlFbXCnkl43VH6ASByvJ+kUX2d15Sq9KDE0I3Walz7OUgayswGumebx0WwN3Am
    1KoAnlyc7UNBrSH9cfn+TJ8UcrYPFfKmrUF2gM57fycLpP94GFHxhrvoQ2ZL91WT
    2cEoabi2mGPwvt47UGqrUuUm/QKBgQC5mpbHemq4vndJm5C/cFiEDtVObTVdQKhn
    FWQNl+lrLXThKafwhJeUdpacxNxhNs2acr/Ctg81aZqUhdBq8lNph6FrCT/lfNfB
    RPEL7T9lm5QE54N5xFmUdiv2CoKWVLRSAhnytt317pCzcFV0tTW1PPH8S++vOYjw
    QS0ZlWX4PwKBgAItdEGCy3rCOcZhPssfkV9GOJDjw0bnkba27ov9j/yGo1n2hwrL
    y0mOZhwnhbeddTBAXMAyuVssjKAqcE0wGF/7aman1BvY/kpkUIRMj3vmtCJFiEHU
    MapKWItS67kY+357H+oQMO22XWC8gi4yxxlS4LDH1lFxhwe6qAoZ3NdtAoGAQeVk
    ywXnhhf5eiTFS3Kzuo8ZpHKZk7Y1FARANaNNuEO3T4nemkI5HvjLmHU8WTd/3+oF
    sze4Rppry3eG+7F1c+43nSz3hp7Aa1nyyu08qPKHpwYbY8wWkeMy0HQC0STZsJQW
    aloKjBpbPZoQfRMpMmOk9pJvUqL2v3YkcQTd4zkCgYAxp66BGlK5Dh409CHnzXzM
    QvYp7mw1ZWiVyOUpQCzJF2UTfRNXmEeluZXZ/IsYtqdFUJFavl+JvwYBe/bjKwzE
    vE9lb+BE21GxrrVxW4xQcnWquhbNX/acZxHg6tEdJ1WCZJKWbIS4pleC2ArK9Zoy
    fVopKQNBonHQri5Y6LJlsQ==
    -----END PRIVATE KEY-----
    """
  static let rsaPublic = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAi6HCbNjX45poHDJVvdSq
    amyilMwb211fW0qKV6T02SaooI6/1GSpheq+g2AMuoE/JOf2r1Ri//apatLnaReH
    mGr0H0Vp65DSbnVqt5ADAQ8TLrLIsWOBOPuOVwgczfWO68o4Hsqk5nrPqMkCTD0b
    9Xr01mtnloZ1AkciZZYcOxfURut8BC97vaqiQKd8O4/9PJd9QOhKgECMX9kWd2py
    p+enB2Gr+rmFvAvKwE9zgXBJDZa8ZqvMvLnY8NOg+ckfgWOSdDskU6aX99ZcR2PD
    SaeJJ+nO8kMVFAgFl/9GKTHEs0WYhagxmTUuKWUZo7Bjt2YnlQGI62fDb5RGBvqw
    QwIDAQAB
    -----END PUBLIC KEY-----
    """
  static let ecPrivate = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQWiMm93/SDKqPxrQ
    N6NL8gZTVE5J6OBcg8ijHKq7vKOhRANCAATse/6peNRUw6nTgVU8B15PcwMkUL4n
    giJcT9GiByLRu2jlSUSi/IEzhYU2HWa6AdbGeQ88veR8d6mZlib/3LdJ
    -----END PRIVATE KEY-----
    """
  static let ecPublic = """
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7Hv+qXjUVMOp04FVPAdeT3MDJFC+
    J4IiXE/Rogci0bto5UlEovyBM4WFNh1mugHWxnkPPL3kfHepmZYm/9y3SQ==
    -----END PUBLIC KEY-----
    """
  static let edPrivate = """
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEIGmTPuDAQXl5BAwFLtvIkiWmzff0Bs+TNrrFRW1CYZJu
    -----END PRIVATE KEY-----
    """
  static let edPublic = """
    -----BEGIN PUBLIC KEY-----
    MCowBQYDK2VwAyEAyUelTx/Ad/hJUj8eRatCXZdZUqX2oVOa/d6tSd/lDm8=
    -----END PUBLIC KEY-----
    """
  static let jwks = """
    {
     "keys": [
      {
       "kty": "RSA",
       "n": "i6HCbNjX45poHDJVvdSqamyilMwb211fW0qKV6T02SaooI6_1GSpheq-g2AMuoE_JOf2r1Ri__apatLnaReHmGr0H0Vp65DSbnVqt5ADAQ8TLrLIsWOBOPuOVwgczfWO68o4Hsqk5nrPqMkCTD0b9Xr01mtnloZ1AkciZZYcOxfURut8BC97vaqiQKd8O4_9PJd9QOhKgECMX9kWd2pyp-enB2Gr-rmFvAvKwE9zgXBJDZa8ZqvMvLnY8NOg-ckfgWOSdDskU6aX99ZcR2PDSaeJJ-nO8kMVFAgFl_9GKTHEs0WYhagxmTUuKWUZo7Bjt2YnlQGI62fDb5RGBvqwQw",
       "e": "AQAB",
       "kid": "r"
      },
      {
       "kty": "EC",
       "crv": "P-256",
       "x": "7Hv-qXjUVMOp04FVPAdeT3MDJFC-J4IiXE_Rogci0bs",
       "y": "aOVJRKL8gTOFhTYdZroB1sZ5Dzy95Hx3qZmWJv_ct0k",
       "kid": "e",
       "alg": "ES256",
       "use": "sig"
      },
      {
       "x": "yUelTx_Ad_hJUj8eRatCXZdZUqX2oVOa_d6tSd_lDm8",
       "kty": "OKP",
       "crv": "Ed25519",
       "kid": "d"
      },
      {
       "kty": "unknown",
       "kid": "u"
      },
      {
       "kty": "EC",
       "crv": "P-256",
       "x": "7Hv-qXjUVMOp04FVPAdeT3MDJFC-J4IiXE_Rogci0bs",
       "y": "aOVJRKL8gTOFhTYdZroB1sZ5Dzy95Hx3qZmWJv_ct0k",
       "kid": "enc",
       "use": "enc"
      }
     ]
    }
    """

  /// For alice: her own sessions, `write`, any command; until 2100.
  static let hs256 =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImF1ZCI6WyJvdGhlciIsImZ"
    + "haXJsZWFkIl0sImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJleHAiOjQxMDI0NDQ4MDAsIml"
    + "hdCI6MTc5NTUwMDAwMCwiZmwiOnsic2Vzc2lvbnMiOlsiQG93biJdLCJyaWdodHMiOiJ3cml0ZSIsImN"
    + "yZWF0ZSI6eyJ0YXJnZXRzIjpbInB0eSJdLCJjb21tYW5kcyI6WyIqIl19fX0.WLIOhE1TnS5cTeZoh18"
    + "cEOcfZJ2Nd3gsaIXj9pUkP-Y"
  static let rs256 =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhbGljZSIsImF1ZCI6W"
    + "yJvdGhlciIsImZhaXJsZWFkIl0sImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJleHAiOjQxM"
    + "DI0NDQ4MDAsImlhdCI6MTc5NTUwMDAwMCwiZmwiOnsic2Vzc2lvbnMiOlsiQG93biJdLCJyaWdodHMiO"
    + "iJ3cml0ZSIsImNyZWF0ZSI6eyJ0YXJnZXRzIjpbInB0eSJdLCJjb21tYW5kcyI6WyIqIl19fX0.CYOg4"
    + "7PfpbDPpg0f7IynQptTQqNXDZCAGZFpLZTSB5opjbYCaKwT33fg3dvYMngmAX0xxc01a4l8xxpBPHjbl"
    + "oPIIxVlqtrQ9KbN_nR-UbMuycjWwiw0NFqxvswMkA2XOkrNhzriKfQAlN38g_wT50zwCrSrD1U7ItLBT"
    + "_GSNK1xjKWv_LUmpERf5Xni8vkDQZ2zecdbicCBIx23LTOy3A8hXD7o-uyQW0gFn33uY-bRpS7rX8TGa"
    + "SLBFDVKhGIA1_tXQXNvNmmTz546oDsl9_2WpMbox2aBzhzaGebK62af86IiRRxRDdiMLZ_lKVcSTkk5_"
    + "r7DjI3Sjt29NKiSmA"
  static let es256 =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhbGljZSIsImF1ZCI6W"
    + "yJvdGhlciIsImZhaXJsZWFkIl0sImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJleHAiOjQxM"
    + "DI0NDQ4MDAsImlhdCI6MTc5NTUwMDAwMCwiZmwiOnsic2Vzc2lvbnMiOlsiQG93biJdLCJyaWdodHMiO"
    + "iJ3cml0ZSIsImNyZWF0ZSI6eyJ0YXJnZXRzIjpbInB0eSJdLCJjb21tYW5kcyI6WyIqIl19fX0.ypGRC"
    + "vat5KBSMn8iA5nqaGASN_62Bj6rCI3lGZeyEdk5cQkMHwA1UCOwgnLkNY8hhNVN9v_zADylXxHAq-Zay"
    + "Q"
  static let eddsa =
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImQiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhbGljZSIsImF1ZCI6W"
    + "yJvdGhlciIsImZhaXJsZWFkIl0sImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJleHAiOjQxM"
    + "DI0NDQ4MDAsImlhdCI6MTc5NTUwMDAwMCwiZmwiOnsic2Vzc2lvbnMiOlsiQG93biJdLCJyaWdodHMiO"
    + "iJ3cml0ZSIsImNyZWF0ZSI6eyJ0YXJnZXRzIjpbInB0eSJdLCJjb21tYW5kcyI6WyIqIl19fX0.S_32H"
    + "dBZeVnAT0sYlNUg4A0Y2XMBzEkOABLybCiJiguJtAEbio1PCOghWdRqyKtPe_JiaSrWKibiSABrihglB"
    + "g"
}
