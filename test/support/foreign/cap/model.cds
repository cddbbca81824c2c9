@path: '/tableapi/odata'
@requires: 'any'
service Shop {
  @readonly entity Items {
    key ID     : UUID;
        Name   : String(60);
        Amount : Decimal(12, 4);
        Day    : Date;
        At     : Timestamp;
        Hour   : Time;
        Active : Boolean;
        Units  : Int64;
        Descr  : localized String(100);
  }
  @readonly entity Lines {
    key Item : UUID;
    key Pos  : Integer;
        Text : String(200);
  }
  @readonly entity Codes {
    key Code   : String(20);
        Amount : Decimal(9, 2);
  }
  @readonly entity Mixed {
    key Code   : String(20);
        Amount : Decimal(9, 2);
  }
}
